import { describe, expect, test } from 'vitest';
import type { Progress } from '../../src/load/checkpoint.ts';
import { loadVision } from '../../src/run/load-vision.ts';
import type { LoadOptions } from '../../src/run/loading.ts';
import { backends, isFull, sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { familyFiles } from '../model/families.ts';
import { watchingDevices } from './watching-devices.ts';

const folder = await familyFiles('vit', ['config.json', 'model.safetensors', 'preprocessor_config.json']);
const input = { pixels: Float32Array.from({ length: 2700 }, (_, i) => Math.sin(i)), shape: [3, 30, 30] };

async function deviceOf(name: (typeof backends)[number]['name']): Promise<Pick<LoadOptions, 'device'>> {
  return { device: name === 'webgpu' ? await sharedDevice() : name };
}

// Each device compiles anew, for seconds in software: lost-device.test.ts loses one under a smaller model.
describe.runIf(isFull)('a GPU that is lost', () => {
  test('within a call is asked for again, and the answer is the same', () =>
    watchingDevices(async (devices) => {
      const vision = await loadVision(folder, { device: 'webgpu' });
      const expected = await vision.run(input);
      const running = vision.run(input);
      devices.at(-1)!.destroy();
      expectClose((await running).logits.data, expected.logits.data, { absolute: 1e-6 }, 'within');
      const tracing = vision.trace(input, { capture: ['blocks.*.attn.hook_pattern'] });
      devices.at(-1)!.destroy();
      const traced = await tracing;
      expect(traced.size).toBe(3);
      expectClose(traced.logits.data, expected.logits.data, { absolute: 1e-5 }, 'traced');
      vision.dispose();
      const calls = [vision.run(input), vision.classify(input), vision.trace(input), vision.weight('layernorm.bias')];
      for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'disposed' });
      expect(devices.length).toBe(3);
    }));
});

test('a load that is cancelled while weights come leaves nothing allocated', () =>
  watchingDevices(async (_, buffers) => {
    for (const stage of ['config', 'weights']) {
      const abort = new AbortController();
      const reason = new Error(stage);
      const onProgress = (progress: Progress) => progress.stage === stage && abort.abort(reason);
      const loading = loadVision(folder, { device: 'webgpu', signal: abort.signal, onProgress });
      await expect(loading).rejects.toBe(reason);
      expect(buffers.size, stage).toBe(0);
    }
  }));

describe.each(backends)('on $name', ({ name }) => {
  test('aborted calls reject with the reason, and the others go on', async () => {
    const vision = await loadVision(folder, await deviceOf(name));
    const expected = await vision.run(input);
    const reason = new Error('changed my mind');
    for (const call of [
      (signal: AbortSignal) => vision.run(input, { signal }),
      (signal: AbortSignal) => vision.classify(input, { signal }),
      (signal: AbortSignal) => vision.features(input, { signal }),
      (signal: AbortSignal) => vision.trace(input, { signal }),
      (signal: AbortSignal) => vision.profile(input, { signal }),
      (signal: AbortSignal) =>
        vision.preprocess({ data: new Uint8Array(4), width: 2, height: 2, channels: 1 }, { signal }),
    ]) {
      await expect(call(AbortSignal.abort(reason))).rejects.toBe(reason);
    }
    const abort = new AbortController();
    const [running, other] = [vision.run(input, { signal: abort.signal }), vision.run(input)];
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect((await other).logits).toEqual(expected.logits);
    const last = vision.run(input);
    vision.dispose();
    vision.dispose();
    await expect(last).rejects.toMatchObject({ code: 'disposed' });
  });
});

test.each([
  ['a contextLength', { contextLength: 8 }, 'contextLength'],
  ['keys as there are none', { kv: 'f8' }, 'kv'],
  ['an unknown option', { size: 3 }, 'size'],
])('loadVision refuses %s', async (_, options, message) => {
  const loading = loadVision(folder, { device: 'cpu', ...options } as LoadOptions);
  const expected = { code: 'bad-option', message: expect.stringContaining(message) as string };
  await expect(loading).rejects.toMatchObject(expected);
});
