import { afterEach, expect, test, vi } from 'vitest';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { fittingContext, usualKv } from '../../src/run/context.ts';
import { load } from '../../src/run/load.ts';
import { familyFiles } from '../model/families.ts';
import { gpt2Config } from '../model/shapes.ts';
import { fixtureFiles } from './models.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** 4 layers of 2 heads of 32: 2 kB of keys and values a token in f32. */
const plan = gpt2Plan(gpt2Config({ nLayer: 4, nHead: 2, nEmbd: 64, nInner: 64, nCtx: 100_000, vocabSize: 10 }));
const none = Number.POSITIVE_INFINITY;

test.each([
  ['room for all', 'f32', { each: none, all: none }, none, 100_000, ''],
  [
    'a buffer for each layer',
    'f32',
    { each: 2 ** 20, all: none },
    none,
    2048,
    'of a layer of 100000 would take 0.048 GB of the',
  ],
  ['the same of halves', 'f16', { each: 2 ** 20, all: none }, none, 4096, 'of a layer of 100000 would take 0.024 GB'],
  [
    'all layers',
    'f32',
    { each: none, all: 2 ** 24 },
    none,
    8192,
    'keys and values of 100000 would take 0.19 GB of the 0.016 GB',
  ],
  [
    'a machine, half of which has weights too',
    'f32',
    { each: none, all: none },
    2 ** 26,
    16_320,
    'of 100000 would take',
  ],
  ['weights that leave nothing', 'f32', { each: none, all: none }, 2 ** 20, 64, 'a text has at most 64 tokens'],
] as const)('the longest text that fits: %s', (_, kv, most, machine, context, reason) => {
  const weights = machine === 2 ** 26 ? 2 ** 17 - 1 : 2 ** 25;
  const found = fittingContext(plan, kv, 100_000, { weights, most, machine });
  expect(found.context).toBe(context);
  expect(found.reason).toContain(reason);
});

test('halves are what is kept beside quantised weights on a GPU', () => {
  expect(usualKv('webgpu', 'q8', plan)).toBe('f16');
  expect(usualKv('webgpu', 'bf16', plan)).toBe('f32');
  expect(usualKv('wasm', 'q4', plan)).toBe('f32');
  const odd = gpt2Plan(gpt2Config({ nLayer: 1, nHead: 2, nEmbd: 6, nInner: 8, nCtx: 8, vocabSize: 10 }));
  expect(usualKv('webgpu', 'q8', odd)).toBe('f32');
});

test.each(['cpu', 'wasm'] as const)(
  'a machine with little memory has shorter texts, and says why, on %s',
  async (device) => {
    const source = await fixtureFiles('tiny-gpt2');
    vi.stubGlobal('navigator', { deviceMemory: (8 * 64 * 2304) / 2 ** 30 }); // an eighth of it: 64 tokens
    const model = await load(source, { device, dtype: 'f32' });
    expect(model.device.context).toBe(64);
    expect(model.device.reason).toMatch(
      /asked for.*a text has at most 64 tokens, since keys and values of 128 would take/,
    );
    await expect(model.logits(new Array(65).fill(1))).rejects.toMatchObject({ code: 'context-full' });
    expect(await model.logits([1, 2])).toMatchObject({ shape: [1, 1000] });
    const asked = await load(source, { device, dtype: 'f32', contextLength: 128 });
    expect(asked.device).toMatchObject({ context: 128, reason: 'asked for' });
    for (const one of [model, asked]) one.dispose();
  },
);

test.each(['llama-gqa', 'gpt-neox'])('%s: angles are made for the positions that texts have', async (name) => {
  const files = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  const source = await familyFiles(name, files);
  const open = (contextLength?: number) =>
    load(source, { device: 'cpu', dtype: 'f32', ...(contextLength && { contextLength }) });
  const [whole, asked] = [await open(), await open(10)];
  vi.stubGlobal('navigator', { deviceMemory: 2 ** 16 / 2 ** 30 }); // an eighth of it is for keys and values
  const fitted = await open();
  expect(whole.device.context).toBe(128);
  expect(fitted.device.context).toBeLessThan(128);
  const ids = Array.from({ length: 10 }, (_, i) => i + 3);
  const expected = await whole.logits(ids);
  for (const model of [asked, fitted]) {
    expect(model.device.bytes).toBe(whole.device.bytes - (128 - model.device.context) * 64 * 4); // rows of 64, padding included
    expect(await model.logits(ids)).toEqual(expected);
  }
  await expect(asked.logits([...ids, 1])).rejects.toMatchObject({ code: 'context-full' });
  for (const model of [whole, asked, fitted]) model.dispose();
});
