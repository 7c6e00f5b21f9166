import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Model, nearestRows, rowSimilarities } from '../../src/index.ts';
import { openFixture } from './models.ts';

describe('rows of weights side by side', () => {
  let model: Model;
  beforeAll(async () => {
    model = await openFixture('tiny-gpt2');
  });
  afterAll(() => model.dispose());

  const cosine = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, i) => sum + value * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));

  test('the nearest rows, best first', async () => {
    const { data } = await model.weight('wte.weight');
    const row = (r: number) => data.subarray(r * 96, (r + 1) * 96);
    const all = Array.from({ length: 1000 }, (_, r) => ({ row: r, cosine: cosine(row(r), row(42)) }));
    const sorted = all.filter((one) => one.row !== 42).sort((a, b) => b.cosine - a.cosine);
    const nearest = await nearestRows(model, 'wte.weight', 42, { count: 7 });
    expect(nearest.map((one) => one.row)).toEqual(sorted.slice(0, 7).map((one) => one.row));
    for (const [i, one] of nearest.entries()) expect(one.cosine).toBeCloseTo(sorted[i]!.cosine, 5);
  });

  test('a map of all rows', async () => {
    const { data } = await model.weight('wpe.weight');
    const map = await rowSimilarities(model, 'wpe.weight');
    const n = data.length / 96;
    expect(map.shape).toEqual([n, n]);
    for (const [a, b] of [
      [0, 0],
      [3, 17],
      [17, 3],
      [n - 1, 2],
    ] as const) {
      const expected = cosine(data.subarray(a * 96, (a + 1) * 96), data.subarray(b * 96, (b + 1) * 96));
      expect(map.data[a * n + b]).toBeCloseTo(expected, 5);
    }
  });

  test('what is not there is named', async () => {
    await expect(nearestRows(model, 'wqe.weight', 0)).rejects.toThrow('no weight "wqe.weight"');
    await expect(nearestRows(model, 'wte.weight', 1000)).rejects.toThrow('no row 1000');
    await expect(nearestRows(model, 'wte.weight', 1, { count: 0 })).rejects.toThrow('count');
    await expect(rowSimilarities(model, 'wqe.weight')).rejects.toThrow('no weight "wqe.weight"');
  });
});
