import { describe, expect, test } from 'vitest';
import { backends } from '../backends.ts';
import { expectClose } from '../close.ts';
import { familyExpected, openFamily, tensorsOf } from './families.ts';

const folders = ['llama-gqa', 'llama-tied', 'qwen2', 'gpt-neox', 'gpt-neox-sequential', 'gpt-neo'];

describe.each(backends)('decoders on $name', (backend) => {
  test.each(folders)('%s: logits and every intermediate', async (folder) => {
    const { engine } = await openFamily(backend, folder, 'decoder');
    const { plan } = engine;
    const { cases, accept, trace } = await familyExpected(folder);
    const expected = await tensorsOf(folder, 'expected.safetensors');
    const wanted = trace && (await tensorsOf(folder, 'trace.safetensors'));
    const names = [...(wanted?.keys() ?? []), 'ln_final_out'];
    const nameOf = (name: string) => plan.aliases.get(name) ?? name;
    for (const { name, input_ids, outputs } of cases) {
      const ids = input_ids[0]!;
      const size = { slots: 1, context: ids.length, rows: ids.length, logitRows: ids.length };
      const capture = new Set(name === trace?.case ? names.map(nameOf) : [nameOf('ln_final_out')]);
      const program = await (await engine.backend()).program(plan, size, capture);
      const rows = ids.map((token, position) => ({ token, position, slot: 0 }));
      const { logits, captured } = await program.run({ rows, logitRows: [...rows.keys()] });
      program.dispose();
      expectClose(logits, expected.get(outputs.logits!.tensor)!.data, { absolute: accept.logits! }, `${name} logits`);
      const hidden = outputs.last_hidden_state;
      if (hidden) {
        const { data } = expected.get(hidden.tensor)!;
        expectClose(
          captured.get(nameOf('ln_final_out'))!,
          data,
          { absolute: accept.last_hidden_state! },
          `${name} hidden`,
        );
      }
      if (name !== trace?.case) continue;
      for (const [tensor, { data }] of wanted!) {
        expectClose(captured.get(nameOf(tensor))!, data, { relative: trace!.accept_relative_to_largest }, tensor);
      }
    }
    engine.dispose();
  });

  test.each(folders)('%s: cached decoding equals one batch', async (folder) => {
    const { engine } = await openFamily(backend, folder, 'decoder');
    const { cases } = await familyExpected(folder);
    const ids = cases.find(({ name }) => name === 'len33')!.input_ids[0]!;
    const size = { slots: 1, context: ids.length, rows: ids.length, logitRows: 1 };
    const rows = ids.map((token, position) => ({ token, position, slot: 0 }));
    const program = await (await engine.backend()).program(engine.plan, size);
    const whole = await program.run({ rows, logitRows: [32] });
    await program.run({ rows: rows.slice(0, 20), logitRows: [] });
    let last = new Float32Array();
    for (const row of rows.slice(20)) last = (await program.run({ rows: [row], logitRows: [0] })).logits as typeof last;
    expectClose(last, whole.logits, { absolute: 1e-4 }, 'logits');
    expect(last.length).toBe(engine.plan.vocabSize);
    engine.dispose();
  });
});
