import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { load, loadCheckpoint } from '../../src/run/load.ts';
import { sharedDevice, testGpu } from '../backends.ts';
import { fixtureFiles, openFixture } from './models.ts';

const prompt = Array.from({ length: 20 }, (_, i) => (i * 37) % 1000);
const options = { maxNewTokens: 60, eosTokenId: null };
/** Tokens are chosen in JavaScript. */
const processed = { ...options, logitsProcessors: [() => {}] };
/** The kernels for many rows take a software GPU seconds to compile, for every device anew. */
const oneRow = 1;

/** Runs `use` with the devices that were asked for meanwhile, and their buffers that were not destroyed. */
async function watchingDevices<T>(use: (devices: GPUDevice[], buffers: Set<GPUBuffer>) => Promise<T>): Promise<T> {
  const gpu = await testGpu();
  const adapterType = Object.getPrototypeOf(await gpu.requestAdapter()) as GPUAdapter;
  const { requestDevice } = adapterType;
  const devices: GPUDevice[] = [];
  const buffers = new Set<GPUBuffer>();
  adapterType.requestDevice = async function (this: GPUAdapter, descriptor) {
    const device = await requestDevice.call(this, descriptor);
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (of) => {
      const buffer = createBuffer(of);
      const destroy = buffer.destroy.bind(buffer);
      buffers.add(buffer);
      buffer.destroy = () => {
        buffers.delete(buffer);
        return destroy();
      };
      return buffer;
    };
    devices.push(device);
    return device;
  };
  try {
    return await use(devices, buffers);
  } finally {
    adapterType.requestDevice = requestDevice;
  }
}

describe('a GPU that is lost', () => {
  test('is asked for again, and the text goes on', () =>
    watchingDevices(async (devices) => {
      const model = await openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true }, oneRow);
      const expected = (await model.complete(prompt, options)).ids;
      const found: number[] = [];
      for await (const token of model.generate(prompt, options)) {
        found.push(token.id);
        if (token.index === 2) devices[0]!.destroy();
      }
      expect(found).toEqual(expected);
      devices[1]!.destroy();
      expect((await model.complete(prompt, processed)).ids).toEqual(expected);
      expect(devices.length).toBe(3);
      model.dispose();
    }));

  test('ends the call if it was the caller\u2019s', async () => {
    const adapter = await (await testGpu()).requestAdapter();
    const device = await adapter!.requestDevice();
    const model = await openFixture('tiny-gpt2', { device }, oneRow);
    await model.complete(prompt, processed);
    device.destroy();
    await expect(model.complete(prompt, processed)).rejects.toMatchObject({ code: 'device-lost' });
    model.dispose();
  });
});

describe('nothing is left allocated', () => {
  test('after dispose, whatever ran', () =>
    watchingDevices(async (devices, buffers) => {
      const model = await openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true }, oneRow);
      await Promise.all([
        model.complete(prompt, options),
        model.complete(prompt, processed),
        model.trace(prompt, { capture: ['*'] }),
        model.score(prompt),
      ]);
      const before = buffers.size;
      await model.trace(prompt, { capture: ['hook_embed'] });
      await model.complete(prompt, { ...processed, edits: [{ name: 'hook_embed', scale: 1 }] });
      expect(buffers.size, 'programs of traces and edits are freed after use').toBe(before);
      model.dispose();
      expect(buffers.size).toBe(0);
      expect((await devices[0]!.lost).reason).toBe('destroyed');
    }));

  test('after a load that is cancelled while it waits for the device', () =>
    watchingDevices(async (devices, buffers) => {
      const abort = new AbortController();
      const came = new Promise<void>((resolve) => {
        devices.push = (device) => {
          abort.abort(new Error('enough'));
          resolve();
          return Array.prototype.push.call(devices, device);
        };
      });
      const loading = load(await fixtureFiles('tiny-gpt2'), { device: 'webgpu', signal: abort.signal });
      await expect(loading).rejects.toThrow('enough');
      await came;
      expect((await devices[0]!.lost).reason).toBe('destroyed');
      expect(buffers.size).toBe(0);
    }));

  test('after a load that is cancelled or fails', () =>
    watchingDevices(async (_, buffers) => {
      for (const stage of ['config', 'weights', 'tokenizer']) {
        const abort = new AbortController();
        const onProgress = (progress: { stage: string }) => progress.stage === stage && abort.abort();
        const options = { device: 'webgpu', signal: abort.signal, onProgress } as const;
        const { signal } = abort;
        const opening = openCheckpoint(await fixtureFiles('tiny-gpt2'), { signal, onProgress });
        const loading = opening.then((checkpoint) => loadCheckpoint(checkpoint, options, oneRow));
        await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
        expect(buffers.size).toBe(0);
      }
      const [config, weights] = (await fixtureFiles('tiny-gpt2')) as [File, File];
      const broken = [config, weights, new File(['{'], 'tokenizer.json')];
      await expect(load(broken, { device: 'webgpu' })).rejects.toMatchObject({ code: 'bad-checkpoint' });
      expect(buffers.size).toBe(0);
    }));
});

test("'auto' takes no software GPU, and the caller's device stays open", async () => {
  await testGpu();
  const auto = await load(await fixtureFiles('tiny-gpt2'));
  expect(['cpu', 'webgpu', 'wasm']).toContain(auto.device.kind);
  expect(auto.device.adapter).not.toMatch(/swiftshader|llvmpipe/i);
  auto.dispose();
  const device = await sharedDevice();
  const model = await load(await fixtureFiles('tiny-gpt2'), { device, dtype: 'q8' });
  expect(model.device).toMatchObject({ kind: 'webgpu', dtype: 'q8' });
  model.dispose();
  const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ });
  await buffer.mapAsync(GPUMapMode.READ); // which a device that is lost refuses
  buffer.destroy();
  const lost = await (await (await testGpu()).requestAdapter())!.requestDevice();
  lost.destroy();
  await expect(load(await fixtureFiles('tiny-gpt2'), { device: lost })).rejects.toMatchObject({ code: 'device-lost' });
});
