import { expect, test } from 'vitest';
import { deviceWith, sharedDevice } from '../backends.ts';
import { openFixture } from '../run/models.ts';

// In q4 the words and the MLP's first layers are q8.
test.each(['f32', 'q4'] as const)('pipelines of %s are asked for before weights, and suffice', async (dtype) => {
  const real = await sharedDevice();
  const calls: string[] = [];
  const noting = <Args extends unknown[], Result>(what: string, call: (...args: Args) => Result) => {
    return (...args: Args): Result => {
      calls.push(what);
      return call(...args);
    };
  };
  const queue = new Proxy(real.queue, {
    get: (queue, key: keyof GPUQueue) => {
      const call = queue[key] as () => unknown;
      return key === 'writeBuffer' ? noting('weight', call.bind(queue)) : call.bind(queue);
    },
  });
  const createComputePipelineAsync = noting('pipeline', real.createComputePipelineAsync.bind(real));
  const device = deviceWith(real, { queue, createComputePipelineAsync });

  const model = await openFixture('tiny-gpt2', { device, dtype });
  const compiled = calls.filter((call) => call === 'pipeline').length;
  expect(compiled).toBeGreaterThan(10);
  expect(calls.lastIndexOf('weight')).toBeGreaterThan(calls.indexOf('pipeline'));
  const tokens: number[] = [];
  for await (const { id } of model.generate([1, 2, 3], { maxNewTokens: 3, temperature: 1 })) tokens.push(id);
  expect(tokens).toHaveLength(3);
  expect(calls.filter((call) => call === 'pipeline')).toHaveLength(compiled);
  model.dispose();
});
