import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { testGpu } from '../backends.ts';
import { fixtureFiles, openFixture } from './models.ts';

/** A weight as the checkpoint has it, [out, in]. */
async function stored(name: string): Promise<Float32Array> {
  const checkpoint = await openCheckpoint(await fixtureFiles('tiny-gpt2'));
  const spec = gpt2Plan(checkpoint.config).weights.find((one) => one.name === name)!;
  const pieces: number[] = [];
  for await (const piece of checkpoint.read(spec)) pieces.push(...piece);
  return Float32Array.from(pieces);
}

describe.each(['cpu', 'webgpu', 'wasm'] as const)('model.weight on %s', (device) => {
  let model: Model;
  beforeAll(async () => {
    await testGpu();
    model = await openFixture('tiny-gpt2', { device });
  });
  afterAll(() => model.dispose());

  test.each(['wte.weight', 'wpe.weight', 'h.1.attn.c_attn.weight', 'h.2.mlp.c_proj.weight', 'ln_f.bias'])(
    '%s is what the checkpoint has',
    async (name) => {
      const { data, shape } = await model.weight(name);
      expect(shape).toEqual(model.weights().find((one) => one.name === name)!.shape);
      expect(data).toEqual(await stored(name));
    },
  );

  test('some rows, in any order', async () => {
    const all = await stored('wte.weight');
    const { data, shape } = await model.weight('wte.weight', { rows: [999, 0, 7, 7] });
    const width = shape[1]!;
    const expected = [999, 0, 7, 7].flatMap((row) => [...all.subarray(row * width, (row + 1) * width)]);
    expect([...data]).toEqual(expected);
  });

  test('a name, a row or an option that is not there is refused', async () => {
    await expect(model.weight('wte')).rejects.toMatchObject({ code: 'bad-option' });
    await expect(model.weight('wte.weight', { rows: [1000] })).rejects.toThrow('1000 rows, and no row 1000');
    await expect(model.weight('wte.weight', { rows: [-1] })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(model.weight('wte.weight', { row: [1] } as never)).rejects.toMatchObject({ code: 'bad-option' });
  });
});

test('the values are those the device computes with: rounded to q8', async () => {
  const model = await openFixture('tiny-gpt2', { device: 'cpu', dtype: 'q8' });
  const { data } = await model.weight('h.0.mlp.c_fc.weight', { rows: [3] });
  const exact = (await stored('h.0.mlp.c_fc.weight')).subarray(3 * data.length, 4 * data.length);
  const error = Math.max(...data.map((value, i) => Math.abs(value - exact[i]!)));
  expect(error).toBeGreaterThan(0);
  expect(error).toBeLessThan(Math.max(...exact.map(Math.abs)) / 127);
  model.dispose();
});
