import { describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import { describe as named, requestDevice } from '../../src/gpu/device.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { loadEncoder } from '../../src/run/load-encoder.ts';
import { backends, isFull } from '../backends.ts';
import { expectClose } from '../close.ts';
import { EncoderFolder } from '../load/encoder-folder.ts';
import { openEncoder } from '../model/families.ts';
import { watchingDevices } from './watching-devices.ts';

const texts = Array.from({ length: 120 }, (_, i) => 'the boat and the lamp in the window '.repeat(1 + (i % 4)));
const expected = async () => {
  const encoder = await openEncoder(backends[0]!, 'st-mean');
  const found = await encoder.embed(texts);
  encoder.dispose();
  return found;
};

// Each device compiles anew, for seconds in software: lost-device.test.ts loses one under a smaller model.
test.runIf(isFull)('a GPU that is lost between two batches is replaced, and dispose leaves nothing', () =>
  watchingDevices(async (devices, buffers) => {
    const open = async () => {
      const { device } = await requestDevice(0);
      return createGpuBackend(device, { adapter: named(device.adapterInfo) });
    };
    const encoder = await openEncoder({ name: 'webgpu', open }, 'st-mean');
    const seen: number[] = [];
    const found = await encoder.embed(texts, {
      onProgress: ({ done }) => {
        if (seen.push(done) === 1) devices[0]!.destroy();
      },
    });
    expect(devices).toHaveLength(2);
    expect(seen.length).toBeGreaterThan(1);
    for (const [i, vector] of (await expected()).entries()) expectClose(found[i]!, vector, { absolute: 2e-5 }, `${i}`);
    encoder.dispose();
    expect(buffers.size).toBe(0);
    await expect(encoder.embed(texts)).rejects.toMatchObject({ code: 'disposed' });
  }),
);

test.runIf(isFull)('weights that turn out broken leave nothing allocated', () =>
  watchingDevices(async (devices, buffers) => {
    const folder = await EncoderFolder.open('st-mean');
    folder.change((all) => {
      const { shape } = all.get('encoder.layer.1.output.dense.bias')!;
      const bytes = new Uint8Array(new Float32Array(32).fill(Number.NaN).buffer);
      all.set('encoder.layer.1.output.dense.bias', { dtype: 'F32', shape, bytes });
    });
    await expect(loadEncoder(folder.source, { device: 'webgpu' })).rejects.toMatchObject({ code: 'bad-checkpoint' });
    expect(devices.length).toBeGreaterThan(0);
    expect(buffers.size).toBe(0);
  }),
);

describe('a device without memory for many rows', () => {
  const limitedTo = (most: number) => ({
    name: 'cpu',
    async open() {
      const backend = createCpuBackend();
      const { program } = backend;
      backend.program = async (plan, size, capture) => {
        if (size.rows <= most) return program.call(backend, plan, size, capture);
        throw new VitrineError('out-of-memory', `There is no room for ${size.rows} rows.`);
      };
      return backend;
    },
  });

  test('runs smaller batches, and two calls at once share them', async () => {
    const encoder = await openEncoder(limitedTo(70), 'st-mean');
    const [found, again] = await Promise.all([encoder.embed(texts), encoder.embed(texts)]);
    for (const [i, vector] of (await expected()).entries()) {
      expectClose(found[i]!, vector, { absolute: 1e-6 }, `${i}`);
      expectClose(again[i]!, vector, { absolute: 1e-6 }, `${i}`);
    }
    encoder.dispose();
  });

  test('says so where not even the longest text fits', async () => {
    const encoder = await openEncoder(limitedTo(40), 'st-mean');
    await expect(encoder.embed(texts)).rejects.toMatchObject({ code: 'out-of-memory' });
    encoder.dispose();
  });
});
