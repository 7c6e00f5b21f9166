import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { load, loadCheckpoint } from '../../src/run/load.ts';
import { sharedDevice, testGpu } from '../backends.ts';
import { fixtureFiles, openFixture } from './models.ts';
import { watchingDevices } from './watching-devices.ts';

const prompt = Array.from({ length: 20 }, (_, i) => (i * 37) % 1000);
const options = { maxNewTokens: 60, eosTokenId: null };
/** The kernels for many rows take a software GPU seconds to compile, for every device anew. */
const oneRow = 1;

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
      expect(devices.length).toBe(2);
      model.dispose();
    }));
});

describe('nothing is left allocated', () => {
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
  const model = await loadCheckpoint(await openCheckpoint(await fixtureFiles('tiny-gpt2')), { device }, oneRow);
  expect(model.device).toMatchObject({ kind: 'webgpu', dtype: 'f32' });
  model.dispose();
  const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ });
  await buffer.mapAsync(GPUMapMode.READ); // which a device that is lost refuses
  buffer.destroy();
  const lost = await (await (await testGpu()).requestAdapter())!.requestDevice();
  lost.destroy();
  await expect(load(await fixtureFiles('tiny-gpt2'), { device: lost })).rejects.toMatchObject({ code: 'device-lost' });
});
