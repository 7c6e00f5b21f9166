import { afterEach, expect, test, vi } from 'vitest';
import type { StoredAs } from '../../src/load/checkpoint.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { load } from '../../src/run/load.ts';
import { weightFormats } from '../../src/run/weight-formats.ts';
import { gpt2Config } from '../model/shapes.ts';
import { fixtureFiles } from './models.ts';

const xl = gpt2Config({ nLayer: 48, nHead: 25, nEmbd: 1600, nInner: 6400, nCtx: 1024, vocabSize: 50257 });
const stored = (type: StoredAs) => ({ storedAs: type, storedAsOf: () => type });

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each([
  ['f32', undefined, undefined, 'f32'],
  ['f32', undefined, 3 * 2 ** 30, 'f16'],
  ['f32', 8, undefined, 'f16'],
  ['f32', 4, undefined, 'q8'],
  ['f32', 2, undefined, 'q4'],
  ['f32', 0.25, undefined, 'q4'],
  ['bf16', 8, undefined, 'bf16'],
  ['bf16', 4, undefined, 'q8'],
  ['f16', 8, undefined, 'f16'],
  ['f16', 8, 2 * 2 ** 30, 'q8'],
  ['other', 8, undefined, 'q8'],
  ['q4', 0.25, undefined, 'q4'],
] as const)(
  'XL stored as %s, a machine of %s GB, a backend for %s bytes: %s',
  (type, deviceMemory, capacity, dtype) => {
    vi.stubGlobal('navigator', { deviceMemory });
    const plan = gpt2Plan(xl);
    const formats = weightFormats(stored(type), plan, plan.weights, 'auto', { kind: 'webgpu', capacity });
    expect(formats.dtype).toBe(dtype);
    expect(formats.of(plan.weights.find(({ name }) => name.includes('attn.c_attn.weight'))!)).toBe(dtype);
    const asked = weightFormats(stored(type), plan, plan.weights, 'f32', { kind: 'webgpu', capacity });
    expect(asked).toMatchObject({ dtype: 'f32', reason: '' });
  },
);

test.each(['cpu', 'wasm'] as const)('what a model loads as on a machine with little memory, on %s', async (device) => {
  const source = await fixtureFiles('tiny-gpt2');
  const roomy = await load(source, { device });
  expect(roomy.device).toMatchObject({ dtype: 'f32', reason: 'asked for' });
  vi.stubGlobal('navigator', { deviceMemory: (1.5 * roomy.device.bytes) / 2 ** 30 });
  const model = await load(source, { device });
  expect(model.device).toMatchObject({
    dtype: 'f16',
    reason: expect.stringContaining('its weights as f32 would take'),
  });
  expect(model.device.bytes).toBeLessThan(0.75 * roomy.device.bytes);
  const asked = await load(source, { device, dtype: 'f32' });
  expect(asked.device.dtype).toBe('f32');
  for (const each of [roomy, model, asked]) each.dispose();
});
