import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Edit } from '../../src/plan/edit.ts';
import type { Model } from '../../src/run/model.ts';
import { isFull, testGpu } from '../backends.ts';
import { expectClose } from '../close.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';
import { randomValues } from '../ops/mini-plan.ts';
import { openFixture } from './models.ts';

const chunks = [1, 5, 17, 64];
const models = new Map<number, Model>();
for (const chunk of chunks) models.set(chunk, await openFixture('tiny-gpt2', {}, chunk));
const model = models.get(5)!;
afterAll(() => {
  for (const one of models.values()) one.dispose();
});

const { sequences } = await readFixtureJson<{ sequences: { name: string; ids: number[] }[] }>(
  'tiny-gpt2/expected.json',
);
const ids = sequences.find(({ name }) => name === 'len17')!.ids;

/** A safetensors file of float32 tensors. */
async function readTensors(path: string): Promise<Map<string, { shape: number[]; data: Float32Array }>> {
  const bytes = new Uint8Array(await readFixture(path));
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header: Record<string, { shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, start)),
  );
  delete header.__metadata__;
  return new Map(
    Object.entries(header).map(([name, { shape, data_offsets }]) => {
      const [from, to] = data_offsets.map((offset) => start + offset);
      return [name, { shape, data: new Float32Array(bytes.slice(from, to).buffer) }];
    }),
  );
}

/** Fixture name -> hook name, for what both have in the same layout. */
const hooks: [string, string][] = [
  ['tok_emb', 'hook_embed'],
  ['pos_emb', 'hook_pos_embed'],
  ['embed', 'blocks.0.hook_resid_pre'],
  ['ln_f', 'ln_final.hook_normalized'],
  ...[0, 1, 2].flatMap((layer) =>
    Object.entries({
      ln_1: 'ln1.hook_normalized',
      'attn.q': 'attn.hook_q',
      'attn.k': 'attn.hook_k',
      'attn.v': 'attn.hook_v',
      'attn.probs': 'attn.hook_pattern',
      'attn.merged': 'attn.hook_z',
      'attn.out': 'hook_attn_out',
      resid_mid: 'hook_resid_mid',
      ln_2: 'ln2.hook_normalized',
      'mlp.pre_act': 'mlp.hook_pre',
      'mlp.post_act': 'mlp.hook_post',
      'mlp.out': 'hook_mlp_out',
      resid_post: 'hook_resid_post',
    }).map(([name, hook]): [string, string] => [`h.${layer}.${name}`, `blocks.${layer}.${hook}`]),
  ),
];

/** [a, b, n] -> [b, a, n] */
function swapped(data: Float32Array, [a = 0, b = 0, n = 0]: number[]): Float32Array {
  const out = new Float32Array(data.length);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++) out.set(data.subarray((i * b + j) * n, (i * b + j + 1) * n), (j * a + i) * n);
  return out;
}

const steering = Array.from(randomValues(96, 4, 3));
const cases: [string, Edit[]][] = [
  ['of keys, before they are cached', [{ name: 'blocks.0.attn.hook_k', position: 3, scale: -2 }]],
  ['of values', [{ name: 'blocks.1.attn.hook_v', head: 1, set: 0 }]],
  ['of scores', [{ name: 'blocks.1.attn.hook_attn_scores', head: [0, 2], position: [5, 16], scale: 0 }]],
  ['of scores, everywhere', [{ name: 'blocks.1.attn.hook_attn_scores', set: 0.5 }]],
  ['of a pattern, everywhere', [{ name: 'blocks.2.attn.hook_pattern', set: 0.25 }]],
  ['of the embedding', [{ name: 'hook_embed', position: -1, add: steering }]],
  ['steering every position', [{ name: 'blocks.1.hook_resid_pre', add: steering }]],
  [
    'of norms',
    [
      { name: 'blocks.0.ln1.hook_scale', scale: 2 },
      { name: 'ln_final.hook_normalized', position: [0, 1], scale: 0.5 },
    ],
  ],
  [
    'one after the other',
    [
      { name: 'hook_pos_embed', add: 1 },
      { name: 'hook_pos_embed', scale: 3 },
    ],
  ],
];

async function expectIntermediates(traced: Model): Promise<void> {
  const expected = await readTensors('tiny-gpt2/intermediates.safetensors');
  expect(new Set(hooks.map(([name]) => name))).toEqual(new Set(expected.keys()));
  const trace = await traced.trace(ids, { capture: hooks.map(([, hook]) => hook) });
  expect(trace.size).toBe(hooks.length);
  expect(trace.tokens).toEqual(ids);
  for (const [name, hook] of hooks) {
    const { data, shape } = expected.get(name)!;
    const perHead = /attn\.[qkv]$/.test(name);
    expectClose(trace.get(hook)!.data, perHead ? swapped(data, shape) : data, { relative: 1e-5 }, hook);
  }
}

test.each(chunks)('every intermediate of the fixture, in chunks of %i', (chunk) =>
  expectIntermediates(models.get(chunk)!),
);

describe('on WebGPU, in chunks of 5', () => {
  let gpu: Model;
  beforeAll(async () => {
    await testGpu();
    gpu = await openFixture('tiny-gpt2', { device: 'webgpu' }, 5);
  });
  afterAll(() => gpu.dispose());

  // The next test compares every tensor.
  test.runIf(isFull)('every intermediate of the fixture', () => expectIntermediates(gpu));

  test('everything traced, and nothing, gives the same logits; every tensor is that of the CPU', async () => {
    const [expected, trace] = [await model.trace(ids, { capture: ['*'] }), await gpu.trace(ids, { capture: ['*'] })];
    for (const [name, { data, shape }] of expected) {
      expect(trace.get(name)!.shape).toEqual(shape);
      expectClose(trace.get(name)!.data, data, { relative: 1e-5 }, name);
    }
    expectClose((await gpu.trace(ids)).logits.data, trace.logits.data, { absolute: 1e-4 });
  });

  test.each(cases)('edits %s', async (_, edits) => {
    const expected = await model.trace(ids, { edits });
    expectClose((await gpu.trace(ids, { edits })).logits.data, expected.logits.data, { absolute: 3e-4 });
    const options = { edits, maxNewTokens: 5, eosTokenId: null };
    expect((await gpu.complete(ids, options)).ids).toEqual((await model.complete(ids, options)).ids);
  });
});

describe('what is captured', () => {
  const everything = () => model.trace(ids, { capture: () => true });

  test('is every tensor that tensors() lists, in its shape, and the logits are those without a trace', async () => {
    const trace = await everything();
    expect([...trace.keys()]).toEqual(model.tensors().map(({ name }) => name));
    expect(new Set(trace.keys()).size).toBe(model.tensors().length);
    for (const { name, shape } of model.tensors()) {
      const expected = shape.map((axis) => (typeof axis === 'number' ? axis : ids.length));
      expect(trace.get(name)!.shape, name).toEqual(expected);
      expect(trace.get(name)!.data.length, name).toBe(expected.reduce((a, b) => a * b));
    }
    const nothing = await model.trace(ids);
    expect(nothing.size).toBe(0);
    expect(trace.logits).toEqual(nothing.logits);
    expect(trace.logits).toEqual(await model.logits(ids, { positions: [...ids.keys()] }));
  });

  test('does not depend on the chunks', async () => {
    const expected = await everything();
    for (const chunk of chunks) {
      const trace = await models.get(chunk)!.trace(ids, { capture: ['*'] });
      for (const [name, tensor] of trace)
        expectClose(tensor.data, expected.get(name)!.data, {}, `${name}, chunks of ${chunk}`);
    }
  });

  test('globs, names and second names', async () => {
    const { nLayer } = model.config;
    const patterns = await model.trace(ids, { capture: ['blocks.*.attn.hook_pattern'] });
    expect([...patterns.keys()]).toEqual(Array.from({ length: nLayer }, (_, i) => `blocks.${i}.attn.hook_pattern`));
    const residuals = await model.trace(ids, { capture: ['*hook_resid_*', 'hook_embed'] });
    expect([...residuals.keys()].filter((name) => name.endsWith('resid_pre')).length).toBe(nLayer);
    expect(residuals.get('blocks.1.hook_resid_pre')).toEqual(residuals.get('blocks.0.hook_resid_post'));
    expect(residuals.has('hook_embed')).toBe(true);
    expect(model.tensors().some(({ name }) => name === 'logits' || name === 'selected')).toBe(false);
  });

  test("TransformerLens 4's names and globs of them; a result has the name that was asked for, and so may an edit", async () => {
    const found = await model.trace(ids, { capture: ['blocks.*.attn.q.hook_out', 'unembed.hook_in'] });
    const ours = await model.trace(ids, { capture: ['blocks.*.attn.hook_q', 'ln_final.hook_normalized'] });
    const { nLayer } = model.config;
    const names = Array.from({ length: nLayer }, (_, i) => `blocks.${i}.attn.q.hook_out`);
    expect([...found.keys()].sort()).toEqual([...names, 'unembed.hook_in'].sort());
    for (const name of names) expect(found.get(name)).toEqual(ours.get(name.replace('q.hook_out', 'hook_q')));
    expect(found.get('unembed.hook_in')).toEqual(ours.get('ln_final.hook_normalized'));
    const edited = (name: string) => model.trace(ids, { edits: [{ name, head: 1, set: 0 }] });
    expect((await edited('blocks.1.attn.o.hook_in')).logits).toEqual((await edited('blocks.1.attn.hook_z')).logits);
    await expect(model.trace(ids, { capture: ['blocks.0.attn.q.hook_nothing'] })).rejects.toThrow('hook_nothing');
  });

  test('logits of some positions, in the order asked for', async () => {
    const all = (await model.trace(ids)).logits;
    const width = all.shape[1]!;
    const some = await model.trace(ids, { logits: [-1, 3, 3] });
    expect(some.logits.shape).toEqual([3, width]);
    const expected = [ids.length - 1, 3, 3].flatMap((at) => [...all.data.subarray(at * width, (at + 1) * width)]);
    expect([...some.logits.data]).toEqual(expected);
    expect((await model.trace(ids, { logits: [], capture: ['hook_embed'] })).logits.shape).toEqual([0, width]);
    await expect(model.trace(ids, { logits: [ids.length] })).rejects.toThrow(`Position ${ids.length}`);
  });

  test('scores are masked, patterns are zero after a position, and rows sum to one', async () => {
    const trace = await model.trace(ids, { capture: ['blocks.1.attn.*'] });
    const [scores, pattern] = ['scores', 'pattern'].map(
      (name) => trace.get(`blocks.1.attn.hook_${name === 'scores' ? 'attn_scores' : name}`)!,
    );
    const [heads = 0, rows = 0, keys = 0] = pattern!.shape;
    for (let head = 0; head < heads; head++) {
      for (let row = 0; row < rows; row++) {
        let sum = 0;
        for (let key = 0; key < keys; key++) {
          const at = (head * rows + row) * keys + key;
          if (key > row) expect([scores!.data[at], pattern!.data[at]]).toEqual([Number.NEGATIVE_INFINITY, 0]);
          sum += pattern!.data[at]!;
        }
        expect(sum).toBeCloseTo(1, 5);
      }
    }
  });

  test('takes memory for that alone', async () => {
    const [all, one] = await Promise.all([everything(), model.trace(ids, { capture: ['blocks.0.attn.hook_pattern'] })]);
    const bytes = (trace: typeof all) => [...trace.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    expect(bytes(one)).toBe(4 * 3 * 17 * 17);
    expect(bytes(all)).toBeGreaterThan(50 * bytes(one));
  });
});

describe('edits', () => {
  const logitsOf = async (edits: Edit[], chunk = 5) => (await models.get(chunk)!.trace(ids, { edits })).logits.data;

  test('that set a tensor to its own value change nothing', async () => {
    const trace = await model.trace(ids, { capture: ['*'] });
    for (const [name, { data }] of trace) {
      expectClose(await logitsOf([{ name, set: data }]), trace.logits.data, { absolute: 1e-6 }, name);
      expectClose(await logitsOf([{ name, scale: 1 }]), trace.logits.data, { absolute: 0 }, name);
      if (!name.endsWith('attn_scores'))
        expectClose(await logitsOf([{ name, add: 0 }]), trace.logits.data, { absolute: 0 }, name);
    }
  });

  test('that silence all heads and MLPs leave the logits of the embedding', async () => {
    const silent = [0, 1, 2].flatMap((layer): Edit[] => [
      { name: `blocks.${layer}.hook_attn_out`, set: 0 },
      { name: `blocks.${layer}.hook_mlp_out`, scale: 0 },
    ]);
    const trace = await model.trace(ids, { edits: silent, capture: ['*hook_resid*'] });
    expect(trace.get('blocks.2.hook_resid_post')).toEqual(trace.get('blocks.0.hook_resid_pre'));
    const direct = await logitsOf([
      { name: 'blocks.2.hook_resid_post', set: trace.get('blocks.0.hook_resid_pre')!.data },
    ]);
    expectClose(trace.logits.data, direct, { absolute: 1e-6 });
  });

  test('patch one position, one head', async () => {
    const other = ids.toReversed();
    const donor = await model.trace(other, { capture: ['blocks.1.attn.hook_z'] });
    const { data, shape } = donor.get('blocks.1.attn.hook_z')!;
    const [, heads = 0, dim = 0] = shape;
    const patch = data.subarray((4 * heads + 2) * dim, (4 * heads + 3) * dim);
    const name = 'blocks.1.attn.hook_z';
    const patched = await model.trace(ids, { capture: [name], edits: [{ name, position: 4, head: 2, set: patch }] });
    const clean = await model.trace(ids, { capture: [name] });
    const expected = Float32Array.from(clean.get(name)!.data);
    expected.set(patch, (4 * heads + 2) * dim);
    expect(patched.get(name)!.data).toEqual(expected);
    const before = 4 * 1000; // positions before the patched one do not see it
    expect(patched.logits.data.subarray(0, before)).toEqual(clean.logits.data.subarray(0, before));
    expect(patched.logits.data.subarray(before)).not.toEqual(clean.logits.data.subarray(before));
  });

  describe.each(cases)('%s', (_, edits) => {
    test('change the logits, whatever the chunks', async () => {
      const [expected, ...others] = await Promise.all(chunks.map((chunk) => logitsOf(edits, chunk)));
      expect(expected!.every(Number.isFinite)).toBe(true);
      expect(expected).not.toEqual((await model.trace(ids)).logits.data);
      for (const [i, found] of others.entries())
        expectClose(found, expected!, {}, `logits in chunks of ${chunks[i + 1]}`);
    });

    test('are there in generate', async () => {
      const { ids: generated } = await model.complete(ids, { edits, maxNewTokens: 4, eosTokenId: null });
      // Positions from the end mean the prompt's.
      const fixed = edits.map((edit) => (edit.position === -1 ? { ...edit, position: ids.length - 1 } : edit));
      const text = [...ids];
      for (const id of generated) {
        const { logits } = await model.trace(text, { edits: fixed });
        const last = logits.data.subarray(-1000);
        expect(id).toBe(last.indexOf(Math.max(...last)));
        text.push(id);
      }
      const { usage } = await model.complete(ids, { maxNewTokens: 1 });
      expect(usage.cached, 'an edited cache is not kept').toBeLessThanOrEqual(16);
      expect((await model.complete(ids, { maxNewTokens: 4, eosTokenId: null })).ids).toEqual(
        (await models.get(64)!.complete(ids, { maxNewTokens: 4, eosTokenId: null })).ids,
      );
    });
  });
});

test('of a text as long as the context', async () => {
  const text = Array.from({ length: 128 }, (_, i) => (i * 37) % 1000);
  const trace = await model.trace(text, { capture: ['blocks.2.attn.hook_pattern'] });
  expect(trace.get('blocks.2.attn.hook_pattern')!.shape).toEqual([3, 128, 128]);
  expect(trace.logits.shape).toEqual([128, 1000]);
});
