import { expect, test } from 'vitest';
import { testGpu } from '../backends.ts';
import { openTiny } from '../run/models.ts';

test.each(['f32', 'q8', 'q4'] as const)('pipelines of %s are asked for before weights, and suffice', async (dtype) => {
  const adapter = await (await testGpu()).requestAdapter();
  const requiredFeatures: GPUFeatureName[] = adapter!.features.has('subgroups') ? ['subgroups'] : [];
  const device = await adapter!.requestDevice({ requiredFeatures });
  const calls: string[] = [];
  const { createComputePipelineAsync: compile } = device;
  device.createComputePipelineAsync = (...args) => {
    calls.push('pipeline');
    return compile.apply(device, args);
  };
  const { queue } = device;
  const { writeBuffer: write } = queue;
  queue.writeBuffer = (...args: Parameters<typeof write>) => {
    calls.push('weight');
    return write.apply(queue, args);
  };

  const model = await openTiny({}, { device, dtype });
  const compiled = calls.filter((call) => call === 'pipeline').length;
  expect(compiled).toBeGreaterThan(10);
  expect(calls.lastIndexOf('weight')).toBeGreaterThan(calls.indexOf('pipeline'));
  const tokens: number[] = [];
  for await (const { id } of model.generate([1, 2, 3], { maxNewTokens: 3, temperature: 1 })) tokens.push(id);
  expect(tokens).toHaveLength(3);
  expect(calls.filter((call) => call === 'pipeline')).toHaveLength(compiled);
  model.dispose();
  device.destroy();
});
