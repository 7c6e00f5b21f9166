import { expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { load, loadCheckpoint } from '../../src/run/load.ts';
import { sharedDevice, type TestBackend } from '../backends.ts';
import { expectClose } from '../close.ts';
import { readFixtureJson } from '../fixtures.ts';
import { familyExpected, familyFiles, openFamily, tensorsOf } from './families.ts';

export const decoders = ['llama-gqa', 'llama-tied', 'qwen2', 'gpt-neox', 'gpt-neox-sequential', 'gpt-neo'];

/** Made with transformers by tools/fixtures/decoders.py: families, windows and kinds of rotary scaling that the others lack. */
export const seeded = [
  'qwen3',
  'qwen3-window',
  'mistral-window',
  'opt',
  'rope-linear',
  'rope-dynamic',
  'rope-llama3',
  'rope-yarn',
  'rope-yarn-mscale',
  'rope-neox-linear',
];

export function testDecoders(backend: TestBackend, folders: readonly string[]): void {
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
      const size = { slots: 1, context: 40, rows: 40, logitRows: 40 };
      const capture = new Set(name === trace?.case ? names.map(nameOf) : [nameOf('ln_final_out')]);
      const program = await (await engine.backend()).program(plan, size, capture);
      const rows = ids.map((token, position) => ({ token, position, slot: 0 }));
      const { logits, captured } = await program.run({ rows, logitRows: [...rows.keys()] });
      program.dispose();
      expectClose(logits, expected.get(outputs.logits!.tensor)!.data, { absolute: accept.logits! }, `${name} logits`);
      const hidden = outputs.last_hidden_state;
      if (hidden) {
        const { data } = expected.get(hidden.tensor)!;
        const tolerance = { absolute: accept.last_hidden_state! };
        expectClose(captured.get(nameOf('ln_final_out'))!, data, tolerance, `${name} hidden`);
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
    const rows = ids.map((token, position) => ({ token, position, slot: 0 }));
    const size = { slots: 1, context: 40, rows: 40, logitRows: 40 };
    const program = await (await engine.backend()).program(engine.plan, size);
    const whole = await program.run({ rows, logitRows: [32] });
    await program.run({ rows: rows.slice(0, 20), logitRows: [] });
    let last = new Float32Array();
    for (const row of rows.slice(20)) last = (await program.run({ rows: [row], logitRows: [0] })).logits as typeof last;
    expectClose(last, whole.logits, { absolute: 1e-4 }, 'logits');
    engine.dispose();
  });
}

interface Generations {
  generations: {
    name: string;
    input_ids: number[];
    options: Record<string, number | boolean | null>;
    sequences: { new_ids: number[]; score?: number }[];
  }[];
  texts?: { text: string; ids: number[]; ids_without_special: number[]; decoded: string }[];
}

/** What `load` makes of a folder: its tokenizer, and generated texts. */
export function testGeneration(device: 'cpu' | 'wasm', folders: readonly string[]): void {
  test.each(folders)(`%s on ${device}: texts and generations`, async (folder) => {
    const names = [
      'config.json',
      'model.safetensors',
      'generation_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ];
    const checkpoint = await openCheckpoint(await familyFiles(folder, names));
    const model = await loadCheckpoint(checkpoint, { device, dtype: 'auto' });
    const { generations, texts = [] } = await readFixtureJson<Generations>(`families/${folder}/expected.json`);
    for (const { text, ids, ids_without_special } of texts) {
      // The expected ids are the slow tokenizer's, which puts a space before a text that has one; tokenizer.json does not.
      if (folder.startsWith('llama') && text.startsWith(' ')) continue;
      expect(model.tokenizer.encode(text, { special: true }), text).toEqual(ids);
      if (!/<|\[/.test(text)) expect(model.tokenizer.encode(text), text).toEqual(ids_without_special);
    }
    for (const { name, input_ids, options, sequences } of generations) {
      const { max_new_tokens, num_beams, eos_token_id, length_penalty, early_stopping } = options;
      const completion = await model.complete(input_ids, {
        maxNewTokens: max_new_tokens as number,
        eosTokenId: eos_token_id as number | null,
        ...((num_beams as number) > 1 && {
          numBeams: num_beams as number,
          numReturnSequences: sequences.length,
          lengthPenalty: length_penalty as number,
          earlyStopping: early_stopping as boolean,
        }),
      });
      const found = completion.sequences ?? [completion];
      expect(
        found.map(({ ids }) => ids),
        name,
      ).toEqual(sequences.map(({ new_ids }) => new_ids));
      for (const [i, { score }] of sequences.entries())
        if (score !== undefined) expect(found[i]!.score).toBeCloseTo(score, 3);
    }
    model.dispose();
  });
}

/** Logits of a seeded folder as it is loaded, and what it writes. */
export function testSeeded(device: 'cpu' | 'wasm' | 'webgpu', folders: readonly string[]): void {
  test.each(folders)(`%s on ${device}: logits and a text`, async (folder) => {
    const files = await familyFiles(folder, ['config.json', 'model.safetensors']);
    const model = await load(files, { device: device === 'webgpu' ? await sharedDevice() : device, dtype: 'f32' });
    const { cases, accept, generations } = await familyExpected(folder);
    const expected = await tensorsOf(folder, 'expected.safetensors');
    for (const { name, input_ids, outputs } of cases) {
      const [ids] = input_ids;
      const { data } = await model.logits(ids!, { positions: [...ids!.keys()] });
      expectClose(data, expected.get(outputs.logits!.tensor)!.data, { absolute: accept.logits! }, name);
    }
    for (const { input_ids, sequences } of generations!) {
      const { ids } = await model.complete(input_ids, { maxNewTokens: sequences[0]!.new_ids.length, eosTokenId: null });
      expect(ids).toEqual(sequences[0]!.new_ids);
    }
    model.dispose();
  });
}
