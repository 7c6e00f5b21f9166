import { describe, expect, test } from 'vitest';
import { type Alterations, withAltered } from '../gpu/altered.ts';
import { openFixture } from './models.ts';

/** The kernels for many rows take a software GPU seconds to compile, for every device anew. */
const oneRow = 1;
const refuse = (name: string) => async () => {
  throw new DOMException('no such luck', name);
};

/** GPUs that are there and cannot: what they do, and what is said of it. */
const broken: [string, Alterations, RegExp][] = [
  [
    'an adapter that rejects',
    { requestAdapter: refuse('OperationError') },
    /asking for an adapter failed.*no such luck/,
  ],
  ['no adapter', { requestAdapter: async () => null }, /offers no adapter/],
  ['a device that rejects', { requestDevice: refuse('OperationError') }, /acme gave no device.*no such luck/],
  [
    'a device that throws at once',
    {
      requestDevice() {
        throw new TypeError('no such limit');
      },
    },
    /acme gave no device.*no such limit/,
  ],
  [
    'pipelines that do not build',
    { device: () => ({ createComputePipelineAsync: refuse('OperationError') }) },
    /pipeline.*no such luck/,
  ],
  [
    'pipelines that throw at once',
    {
      device: () => ({
        createComputePipelineAsync() {
          throw new TypeError('not a constant');
        },
      }),
    },
    /not a constant/,
  ],
  [
    'shaders that do not compile',
    {
      device: (real) => ({
        createShaderModule: (_, [descriptor]) =>
          real.createShaderModule({ code: `${(descriptor as GPUShaderModuleDescriptor).code}\nfn broken( {` }),
      }),
    },
    /expected/,
  ],
  [
    'a device lost at every first submit',
    { queue: (real) => ({ submit: () => real.destroy() }) },
    /lost 3 times in a row|was lost/,
  ],
  [
    'buffers that cannot be mapped',
    {
      device: () => ({
        createBuffer(call) {
          const buffer = call() as GPUBuffer;
          buffer.mapAsync = refuse('OperationError');
          return buffer;
        },
      }),
    },
    /no such luck/,
  ],
];

describe.each(broken)('%s', (_, how, why) => {
  test("'auto' goes on to WebAssembly and says why", () =>
    withAltered(how, async () => {
      const model = await openFixture('tiny-gpt2', { device: 'auto' }, oneRow);
      expect(model.device.kind).toBe('wasm');
      expect(model.device.reason).toMatch(why);
      expect((await model.complete([1, 2, 3], { maxNewTokens: 2 })).ids).toHaveLength(2);
      model.dispose();
    }));

  test("'webgpu' says no-webgpu at load, with the cause", () =>
    withAltered(how, async () => {
      const opening = openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true }, oneRow);
      await expect(opening).rejects.toMatchObject({ name: 'VitrineError', code: 'no-webgpu' });
      await expect(opening).rejects.toThrow(why);
    }));
});

test('a device that says nothing of itself, refuses what it offers and is lost once while it loads runs all the same', () => {
  let submits = 0;
  const how: Alterations = {
    info: null,
    requestDevice(ask, { requiredFeatures = [] }) {
      if (Array.from(requiredFeatures).length > 0) throw new TypeError('unknown feature');
      return ask();
    },
    queue: (real) => ({ submit: (call) => (submits++ === 0 ? real.destroy() : call()) }),
  };
  return withAltered(how, async (devices) => {
    const model = await openFixture('tiny-gpt2', { device: 'auto' }, oneRow);
    expect(model.device).toMatchObject({
      kind: 'webgpu',
      adapter: expect.stringMatching(/GPU|unnamed/),
      reason: 'a real WebGPU adapter',
    });
    expect(devices).toHaveLength(2);
    expect((await model.complete([1, 2, 3], { maxNewTokens: 2 })).ids).toHaveLength(2);
    model.dispose();
  });
});

test('a context that was asked for and does not fit is said at load, before a weight is sent', () => {
  let writes = 0;
  const limits = {
    maxBufferSize: 2 ** 15,
    maxStorageBufferBindingSize: 2 ** 15,
    maxComputeWorkgroupsPerDimension: 65535,
  };
  const how: Alterations = {
    members: { limits },
    queue: () => ({
      writeBuffer(call) {
        writes++;
        return call();
      },
    }),
  };
  return withAltered(how, async () => {
    const opening = openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true, contextLength: 64 }, oneRow);
    await expect(opening).rejects.toMatchObject({ code: 'out-of-memory' });
    await expect(opening).rejects.toThrow(/KV cache of \d+ positions.*contextLength/);
    expect(writes, 'but for what tries the device').toBe(1);
    const auto = await openFixture('tiny-gpt2', { device: 'auto', contextLength: 64 }, oneRow);
    expect(auto.device.kind).toBe('wasm');
    expect(auto.device.reason).toMatch(/KV cache of/);
    auto.dispose();
  });
});
