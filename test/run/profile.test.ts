import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { stepOutputs } from '../../src/plan/plan.ts';
import { deviceWith, sharedDevice, testGpu } from '../backends.ts';
import { openFixture } from './models.ts';

describe.each(['cpu', 'webgpu', 'wasm'] as const)('model.profile on %s', (device) => {
  const ids = [5, 17, 300, 2];
  let model: Model;
  beforeAll(async () => {
    await testGpu();
    model = await openFixture('tiny-gpt2', { device });
  });
  afterAll(() => model.dispose());

  test('every step from the embedding to the logits takes time', async () => {
    const { repeats, steps, clock } = await model.profile(ids, { repeats: 3 });
    expect(repeats).toBe(3);
    const adapter = device === 'webgpu' ? await navigator.gpu.requestAdapter() : undefined;
    expect(clock).toBe(adapter?.features.has('timestamp-query') ? 'gpu' : 'wall');
    const outputs = steps.flatMap(({ step }) => stepOutputs(step));
    for (const block of [0, 1, 2]) expect(outputs).toContain(`blocks.${block}.hook_resid_post`);
    expect(outputs.at(-1)).toBe('logits');
    expect(steps.every(({ microseconds }) => Number.isFinite(microseconds) && microseconds >= 0)).toBe(true);
    expect(steps.reduce((sum, { microseconds }) => sum + microseconds, 0)).toBeGreaterThan(0);
    const files = new Set(steps.flatMap(({ shaders }) => shaders));
    if (device === 'webgpu') expect([...files]).toContain('attention-input.wgsl');
    else expect(files.size).toBe(0);
  });

  test('what is computed afterwards is what it was', async () => {
    const before = await model.logits([...ids, 9, 4]);
    await model.profile([...ids, 9]);
    const after = await model.logits([...ids, 9, 4]);
    for (const [i, value] of after.data.entries()) expect(Math.abs(value - before.data[i]!)).toBeLessThan(1e-3);
    await expect(model.profile(ids, { repeats: 0 })).rejects.toThrow('repeats');
  });
});

test("a caller's GPU device without timestamps is timed from outside", async () => {
  const own = deviceWith(await sharedDevice(), { features: new Set(['subgroups']) as unknown as GPUSupportedFeatures });
  const model = await openFixture('tiny-gpt2', { device: own });
  const { clock, steps } = await model.profile([5, 17], { repeats: 2 });
  expect(clock).toBe('wall');
  expect(steps.every(({ microseconds }) => microseconds > 0)).toBe(true);
  model.dispose();
});
