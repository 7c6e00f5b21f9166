import { expect, test } from 'vitest';
import { timeVariants } from '../../bench/page/variants.ts';
import { attentionVariants } from '../../src/gpu/kernels/attention.ts';
import { variantsOn } from '../../src/gpu/kernels/linear.ts';
import { isFull, sharedDevice } from '../backends.ts';

test('every variant is timed, kernel by kernel', async () => {
  const device = await sharedDevice();
  const shape = { layers: 1, embd: 96, heads: 3, vocab: 1000, ctx: 128 };
  const { row, tile } = variantsOn(device.features);
  const layers = ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj', 'wte'];
  const expected = [
    ...row.map((name) => [`f32, one row, ${name}`, layers]),
    ...tile.map((name) => [`f32, 64 rows, ${name}`, layers]),
    ...attentionVariants.flatMap((name) =>
      ['one row', '64 rows'].map((run) => [`f32, ${run}, ${name}`, ['attention at 512']]),
    ),
  ];
  const found: unknown[] = [];
  for await (const { name, steps } of timeVariants(device, shape, 'f32', 1)) {
    for (const step of steps) expect(Number.isFinite(step.microseconds), `${step.name}, ${name}`).toBe(true);
    found.push([name, steps.map((step) => step.name)]);
    if (!isFull && found.length === 2) break; // software compiles each variant for seconds
  }
  expect(found).toEqual(isFull ? expected : expected.slice(0, 2));
});
