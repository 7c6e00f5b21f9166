import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backends, isFull } from '../backends.ts';
import { expectClose } from '../close.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';
import { type OpenedModel, openOn, runIds } from './opened.ts';

interface Expected {
  files: Record<string, string>;
  sequences: { name: string; ids: number[] }[];
  logits_file: {
    row_length: number;
    rows: { sequence: string; weights: string; position: number; offset_floats: number }[];
  };
  greedy: { prompt: string; new_ids: number[]; top1_top2_margins: number[] }[];
}

/** Names of the intermediates in the fixture, by TransformerLens name. */
const hooks: [string, string][] = [
  ['hook_embed', 'tok_emb'],
  ['hook_pos_embed', 'pos_emb'],
  ['blocks.0.hook_resid_pre', 'embed'],
  ...[0, 1, 2].flatMap((layer): [string, string][] => {
    const [block, h] = [`blocks.${layer}`, `h.${layer}`];
    return [
      [`${block}.ln1.hook_normalized`, `${h}.ln_1`],
      [`${block}.attn.hook_q`, `${h}.attn.q`],
      [`${block}.attn.hook_k`, `${h}.attn.k`],
      [`${block}.attn.hook_v`, `${h}.attn.v`],
      [`${block}.attn.hook_pattern`, `${h}.attn.probs`],
      [`${block}.attn.hook_z`, `${h}.attn.merged`],
      [`${block}.hook_attn_out`, `${h}.attn.out`],
      [`${block}.hook_resid_mid`, `${h}.resid_mid`],
      [`${block}.ln2.hook_normalized`, `${h}.ln_2`],
      [`${block}.mlp.hook_pre`, `${h}.mlp.pre_act`],
      [`${block}.mlp.hook_post`, `${h}.mlp.post_act`],
      [`${block}.hook_mlp_out`, `${h}.mlp.out`],
      [`${block}.hook_resid_post`, `${h}.resid_post`],
    ];
  }),
  ['ln_final.hook_normalized', 'ln_f'],
];

const files = [
  'model.safetensors',
  'model-f16.safetensors',
  'model-bf16.safetensors',
  'model-old-prefixed-f16.safetensors',
];

describe.each(backends)('tiny-gpt2 on $name', ({ name, open }) => {
  // Names of weights are no matter of a device's.
  describe.each(name === 'webgpu' ? files.slice(0, isFull ? 3 : 2) : files)('%s', (file) => {
    let model: OpenedModel;
    let expected: Expected;
    beforeAll(async () => {
      model = await openOn(await open(), 'tiny-gpt2', file);
      expected = await readFixtureJson<Expected>('tiny-gpt2/expected.json');
    });
    afterAll(() => model.backend.dispose());

    test('logits of every sequence, within 2e-4', async () => {
      const all = new Float32Array((await readFixture('tiny-gpt2/logits.f32')).buffer as ArrayBuffer);
      const program = await model.backend.program(model.plan, { slots: 1, context: 128, rows: 128, logitRows: 2 });
      const { rows, row_length } = expected.logits_file;
      for (const { name, ids } of expected.sequences) {
        const own = rows.filter((row) => row.sequence === name && row.weights === expected.files[file]);
        expect(own.length).toBeGreaterThan(0);
        const { logits } = await runIds(
          program,
          ids,
          own.map((row) => row.position),
        );
        own.forEach(({ offset_floats }, i) => {
          const wanted = all.subarray(offset_floats, offset_floats + row_length);
          expectClose(logits.subarray(i * row_length, (i + 1) * row_length), wanted, { absolute: 2e-4 }, name);
        });
      }
      program.dispose();
    });

    test('greedy continuation, one token at a time', async () => {
      if (file !== 'model.safetensors') return;
      const program = await model.backend.program(model.plan, { slots: 1, context: 128, rows: 128, logitRows: 1 });
      for (const { prompt, new_ids, top1_top2_margins } of expected.greedy) {
        const { ids } = expected.sequences.find(({ name }) => name === prompt)!;
        let { logits } = await runIds(program, ids, [ids.length - 1]);
        for (const [i, id] of new_ids.entries()) {
          if (top1_top2_margins[i]! >= 4e-4)
            expect(logits.indexOf(Math.max(...logits)), `${prompt} token ${i}`).toBe(id);
          const position = ids.length + i;
          if (position < 128)
            ({ logits } = await program.run({ rows: [{ token: id, position, slot: 0 }], logitRows: [0] }));
        }
      }
      program.dispose();
    });
  });

  test('every intermediate of the 17-token sequence, within 1e-5 of its largest value', async () => {
    const { plan, backend } = await openOn(await open(), 'tiny-gpt2', 'model.safetensors');
    const { sequences } = await readFixtureJson<Expected>('tiny-gpt2/expected.json');
    const { ids } = sequences.find(({ name }) => name === 'len17')!;
    const wanted = await readIntermediates();
    const capture = new Set(hooks.map(([hook]) => hook));
    const program = await backend.program(plan, { slots: 1, context: 17, rows: 17, logitRows: 1 }, capture);
    const { captured } = await runIds(program, ids, [16]);
    for (const [hook, name] of hooks) {
      const [, nHead, headDim] = plan.tensors.get(hook)!.shape;
      const perHead = /attn\.[qkv]$/.test(name);
      const values = wanted.get(name)!;
      // The fixture has q, k and v as [head, position, dim], the hook [position, head, dim].
      expectClose(
        captured.get(hook)!,
        perHead ? swapAxes(values, nHead as number, 17, headDim as number) : values,
        { relative: 1e-5 },
        hook,
      );
    }
    backend.dispose();
  });

  test('cached decoding equals one batch, wherever it is split', async () => {
    const { plan, backend } = await openOn(await open(), 'tiny-gpt2', 'model.safetensors');
    const { sequences } = await readFixtureJson<Expected>('tiny-gpt2/expected.json');
    const ids = sequences.find(({ name }) => name === 'len17')!.ids;
    const program = await backend.program(plan, { slots: 2, context: 128, rows: 17, logitRows: 1 });
    const { logits: whole } = await runIds(program, ids, [16]);
    const splits = name === 'webgpu' ? [1, 2, 8, 15, 16] : Array.from({ length: 16 }, (_, i) => i + 1);
    for (const split of splits) {
      const rows = ids.map((token, position) => ({ token, position, slot: 1 }));
      await program.run({ rows: rows.slice(0, split), logitRows: [] });
      program.copySlots([{ from: 1, to: 0 }], split);
      const rest = rows.slice(split).map((row) => ({ ...row, slot: 0 }));
      const { logits } = await program.run({ rows: rest, logitRows: [rest.length - 1] });
      expectClose(logits, whole, { absolute: 2e-5 }, `split at ${split}`);
    }
    backend.dispose();
  });
});

// A model of other widths, whose kernels a software GPU compiles for seconds.
describe.each(backends.filter(({ name }) => name !== 'webgpu' || isFull))('nano-sort on $name', ({ open }) => {
  test('sorts six letters', async () => {
    const { plan, backend } = await openOn(await open(), 'nano-sort', 'model.safetensors');
    const program = await backend.program(plan, { slots: 1, context: 11, rows: 11, logitRows: 1 });
    for (const letters of [
      [2, 1, 0, 1, 1, 2],
      [0, 0, 2, 1, 0, 1],
      [2, 2, 2, 1, 0, 0],
    ]) {
      const ids = [...letters];
      while (ids.length < 12) {
        const { logits } = await runIds(program, ids, [ids.length - 1]);
        ids.push(logits.indexOf(Math.max(...logits)));
      }
      expect(ids.slice(6)).toEqual([...letters].sort());
    }
    backend.dispose();
  });
});

async function readIntermediates(): Promise<Map<string, Float32Array>> {
  const bytes = new Uint8Array(await readFixture('tiny-gpt2/intermediates.safetensors'));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            data_offsets: [from, to],
          },
        ]) => [name, new Float32Array(bytes.slice(8 + length + from, 8 + length + to).buffer)],
      ),
  );
}

function swapAxes(values: Float32Array, a: number, b: number, inner: number): Float32Array {
  const swapped = new Float32Array(values.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++)
      swapped.set(values.subarray((i * b + j) * inner, (i * b + j + 1) * inner), (j * a + i) * inner);
  }
  return swapped;
}
