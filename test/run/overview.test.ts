import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { load, type Model, overview } from '../../src/index.ts';
import { openFixture } from './models.ts';

describe('overview', () => {
  const ids = [5, 17, 300, 2, 99, 23, 4];
  const edits = [{ name: 'blocks.1.hook_mlp_out', scale: 2 }];
  let model: Model;
  beforeAll(async () => {
    model = await openFixture('tiny-gpt2');
  });
  afterAll(() => model.dispose());

  test('patterns of a short text are whole, and norms those of the residuals', async () => {
    const traced = await model.trace(ids, { capture: ['blocks.*.attn.hook_pattern', 'blocks.*.hook_resid_*'], edits });
    const { patterns, pool, norms } = await overview(model, ids, { edits });
    expect(pool).toBe(1);
    expect(patterns.shape).toEqual([3, 3, 7, 7]);
    const all = [0, 1, 2].flatMap((layer) => [...traced.get(`blocks.${layer}.attn.hook_pattern`)!.data]);
    expect([...patterns.data]).toEqual(all);
    expect(norms.shape).toEqual([7, 7]);
    const names = [0, 1, 2].flatMap((layer) => ['mid', 'post'].map((when) => `blocks.${layer}.hook_resid_${when}`));
    for (const [row, name] of ['blocks.0.hook_resid_pre', ...names].entries()) {
      const { data } = traced.get(name)!;
      for (let token = 0; token < 7; token++) {
        const norm = Math.hypot(...data.subarray(token * 96, (token + 1) * 96));
        expect(norms.data[row * 7 + token]! / norm).toBeCloseTo(1, 6);
      }
    }
  });

  test('where attention and MLP read the same residual, the sum after attention is made of both', async () => {
    const model = await load(new URL('../fixtures/families/gpt-neox/', import.meta.url), { device: 'cpu' });
    const names = ['resid_pre', 'attn_out', 'resid_post'].map((name) => `blocks.1.hook_${name}`);
    const traced = await model.trace(ids, { capture: names });
    const [pre, attn, post] = names.map((name) => traced.get(name)!.data);
    const { norms } = await overview(model, ids);
    expect(norms.shape).toEqual([5, 7]);
    const sum = pre!.map((value, i) => value + attn![i]!);
    for (let token = 0; token < 7; token++) {
      const norm = (data: Float32Array) => Math.hypot(...data.subarray(token * 40, (token + 1) * 40));
      expect(norms.data[3 * 7 + token]! / norm(sum)).toBeCloseTo(1, 5);
      expect(norms.data[4 * 7 + token]! / norm(post!)).toBeCloseTo(1, 5);
    }
    model.dispose();
  });

  test('what it cannot do is named', async () => {
    await expect(overview(model, ids, { size: 0 })).rejects.toThrow('size');
    await expect(overview(model, [])).rejects.toThrow('empty');
  });

  test('longer ones are pooled by their largest weights', async () => {
    const { patterns, pool } = await overview(model, ids, { size: 4 });
    expect(pool).toBe(2);
    expect(patterns.shape).toEqual([3, 3, 4, 4]);
    const { data } = (await model.trace(ids, { capture: ['blocks.2.attn.hook_pattern'] })).get(
      'blocks.2.attn.hook_pattern',
    )!;
    for (let head = 0; head < 3; head++) {
      for (let cell = 0; cell < 16; cell++) {
        const [row, column] = [2 * Math.floor(cell / 4), 2 * (cell % 4)];
        const square = [row, row + 1].flatMap((q) => [column, column + 1].map((k) => [q, k] as const));
        const weights = square.filter(([q, k]) => q < 7 && k < 7).map(([q, k]) => data[(head * 7 + q) * 7 + k]!);
        expect(patterns.data[(6 + head) * 16 + cell]).toBe(Math.max(...weights));
      }
    }
  });
});
