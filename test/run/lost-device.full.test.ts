import { expect, test } from 'vitest';
import { load } from '../../src/run/load.ts';
import { testGpu } from '../backends.ts';
import { fixtureFiles, openFixture } from './models.ts';
import { watchingDevices } from './watching-devices.ts';

const prompt = Array.from({ length: 20 }, (_, i) => (i * 37) % 1000);
const options = { maxNewTokens: 60, eosTokenId: null };
/** Tokens are chosen in JavaScript. */
const processed = { ...options, logitsProcessors: [() => {}] };
const oneRow = 1;

test('ends the call if it was the caller\u2019s', async () => {
  const adapter = await (await testGpu()).requestAdapter();
  const device = await adapter!.requestDevice();
  const model = await openFixture('tiny-gpt2', { device }, oneRow);
  await model.complete(prompt, processed);
  device.destroy();
  await expect(model.complete(prompt, processed)).rejects.toMatchObject({ code: 'device-lost' });
  model.dispose();
});

test('twice in a row, the second time between two calls', () =>
  watchingDevices(async (devices) => {
    const model = await openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true }, oneRow);
    const expected = (await model.complete(prompt, options)).ids;
    for (const lost of [0, 1]) {
      devices[lost]!.destroy();
      expect((await model.complete(prompt, processed)).ids).toEqual(expected);
    }
    expect(devices.length).toBe(3);
    model.dispose();
  }));

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
