import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  directLogitAttribution,
  headAblationSweep,
  logitDifference,
  logitLens,
  type Model,
  patchingSweep,
} from '../../src/index.ts';
import { testGpu } from '../backends.ts';
import { expectClose } from '../close.ts';
import { openFixture } from './models.ts';

const clean = [506, 221, 587, 79, 735];
const corrupted = [506, 221, 588, 79, 735];

describe.each(['cpu', 'webgpu', 'wasm'] as const)('analysis on %s', (device) => {
  let model: Model;
  beforeAll(async () => {
    await testGpu();
    model = await openFixture('tiny-gpt2', { device });
  });
  afterAll(() => model.dispose());

  test('logit lens: a layer’s logits are those of a model without the blocks after it', async () => {
    const lens = await logitLens(model, clean);
    expect(lens.map(({ shape }) => shape)).toEqual([0, 1, 2].map(() => [5, 1000]));
    // Blocks without output leave the residual as it is.
    const off = (layer: number) =>
      ['hook_attn_out', 'hook_mlp_out'].map((name) => ({ name: `blocks.${layer}.${name}`, set: 0 }));
    for (const [layer, edits] of [off(1).concat(off(2)), off(2), []].entries()) {
      const { logits } = await model.trace(clean, { edits });
      expectClose(lens[layer]!.data, logits.data, { absolute: 5e-4 }, `layer ${layer}`);
    }
    expect(lens[0]!.data).not.toEqual(lens[2]!.data);
  });

  test('logit lens of some positions of an edited run', async () => {
    const edits = [{ name: 'blocks.0.attn.hook_z', head: 1, set: 0 }];
    const whole = await logitLens(model, clean, { edits });
    const some = await logitLens(model, clean, { edits, positions: [3, -1] });
    for (const [layer, { data, shape }] of some.entries()) {
      expect(shape).toEqual([2, 1000]);
      expectClose(
        data.subarray(0, 1000),
        whole[layer]!.data.subarray(3000, 4000),
        { absolute: 1e-4 },
        `layer ${layer}`,
      );
      expectClose(data.subarray(1000), whole[layer]!.data.subarray(4000), { absolute: 1e-4 }, `layer ${layer}, last`);
    }
    const { logits } = await model.trace(clean, { edits });
    expectClose(whole[2]!.data, logits.data, { absolute: 5e-4 }, 'the model’s own');
    await expect(logitLens(model, clean, { positions: [5] })).rejects.toThrow('Position 5');
  });

  test('direct logit attribution: the parts sum up to the logit', async () => {
    const { logits } = await model.trace(clean);
    for (const [position, token] of [
      [-1, 7],
      [2, 999],
    ] as const) {
      const parts = await directLogitAttribution(model, clean, { token, position });
      expect(parts.length).toBe(2 + 3 * (3 + 2) + 1);
      const sum = parts.reduce((total, { logit }) => total + logit, 0);
      const at = position < 0 ? 5 + position : position;
      expect(Math.abs(sum - logits.data[at * 1000 + token]!)).toBeLessThan(2e-3);
      expect(new Set(parts.map(({ part }) => part)).size).toBe(parts.length);
    }
  });

  test('ablating heads one by one, and patching from another text', async () => {
    const metric = logitDifference(216, 582);
    const whole = metric((await model.trace(clean)).logits);
    const heads = await headAblationSweep(model, clean, metric);
    expect(heads.map((row) => row.length)).toEqual([3, 3, 3]);
    expect(heads.flat().every((value) => value !== whole)).toBe(true);

    const patched = await patchingSweep(model, clean, corrupted, metric);
    expect(patched.map((row) => row.length)).toEqual([5, 5, 5]);
    const base = metric((await model.trace(corrupted)).logits);
    // Before the first block only the changed token differs: patching it makes the text clean, patching others does nothing.
    expect(patched[0]![2]).toBeCloseTo(whole, 3);
    for (const position of [0, 1, 3, 4]) expect(patched[0]![position]).toBeCloseTo(base, 3);
  });
});

test('zeroing every head and MLP leaves the embedding’s logits', async () => {
  const model = await openFixture('tiny-gpt2');
  const edits = [0, 1, 2].flatMap((layer) =>
    ['hook_attn_out', 'hook_mlp_out'].map((name) => ({ name: `blocks.${layer}.${name}`, set: 0 })),
  );
  const { logits } = await model.trace(clean, { edits });
  const embedded = await model.trace(clean, { capture: ['blocks.0.hook_resid_pre'] });
  const set = embedded.get('blocks.0.hook_resid_pre')!.data;
  const straight = await model.trace(clean, { edits: [{ name: 'blocks.2.hook_resid_post', set }] });
  expect(logits.data).toEqual(straight.logits.data);
  model.dispose();
});
