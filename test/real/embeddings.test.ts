import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Encoder } from '../../src/run/encoder.ts';
import { loadEncoder } from '../../src/run/load-encoder.ts';
import { sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { expectedOfMiniLm, folderOf, isThere, minilm, tensorsOfMiniLm } from './models.ts';

const width = 384;
/** A short text, none, another script, and one that is cut: what a GPU in software has time for. */
const ofEachKind = [0, 14, 22, 41];

/** The largest difference of a number of an embedding over all texts: measured are 1.6e-4, 0.0052 and 0.066. */
const errors = { f32: 2e-5, f16: 2e-4, q8: 0.007, q4: 0.09 } as const;

const devices = ['cpu', 'wasm', 'webgpu'] as const;
const load = async (device: (typeof devices)[number], dtype: keyof typeof errors) =>
  loadEncoder(folderOf(minilm), { device: device === 'webgpu' ? await sharedDevice() : device, dtype });

describe.skipIf(!isThere(minilm)).each(devices)('all-MiniLM-L6-v2 on %s', (device) => {
  let encoder: Encoder;
  beforeAll(async () => {
    encoder = await load(device, 'f32');
  });
  afterAll(() => encoder?.dispose());

  test('is what its files say', () => {
    expect(encoder.device).toMatchObject({ kind: device, dtype: 'f32' });
    expect(encoder.sentences).toMatchObject({ pooling: ['mean'], steps: ['normalize'], maxLength: 256, width });
  });

  test('embeddings, packed and one by one', async () => {
    const { texts, accept } = await expectedOfMiniLm();
    const { data } = (await tensorsOfMiniLm())('embeddings');
    const chosen = device === 'webgpu' ? ofEachKind : [...texts.keys()];
    const packed = await encoder.embed(chosen.map((i) => texts[i]!));
    for (const [place, i] of chosen.entries()) {
      const expected = data.subarray(i * width, (i + 1) * width);
      expectClose(packed[place]!, expected, { absolute: accept.embedding }, `text ${i}, packed`);
      if (device === 'cpu' && texts[i]!.length > 300) continue; // plain JavaScript takes half a minute for each
      const [alone] = await encoder.embed([texts[i]!]);
      expectClose(alone!, expected, { absolute: accept.embedding }, `text ${i}`);
    }
  });

  test('hidden states', async () => {
    const { ids, hidden, accept } = await expectedOfMiniLm();
    const tensor = await tensorsOfMiniLm();
    const found = await encoder.run(hidden.map((i) => ({ ids: ids[i]! })));
    for (const [place, i] of hidden.entries()) {
      expectClose(found.hidden[place]!.data, tensor(`hidden.${i}`).data, { absolute: accept.hidden }, `text ${i}`);
    }
  });
});

describe.skipIf(!isThere(minilm)).each(['wasm', 'webgpu'] as const)('all-MiniLM-L6-v2 on %s as', (device) => {
  // Each format's kernels take a GPU in software most of a minute to compile.
  const isFull = device !== 'webgpu' || process.env.VITRINE_FULL === '1';
  test.each(isFull ? (['f16', 'q8', 'q4'] as const) : (['q8'] as const))('%s', async (dtype) => {
    const { texts } = await expectedOfMiniLm();
    const { data } = (await tensorsOfMiniLm())('embeddings');
    const encoder = await load(device, dtype);
    expect(encoder.device.dtype).toBe(dtype);
    const chosen = device === 'webgpu' ? ofEachKind.slice(0, 3) : [...texts.keys()];
    const found = await encoder.embed(chosen.map((i) => texts[i]!));
    let worst = 0;
    for (const [place, i] of chosen.entries()) {
      for (const [j, value] of found[place]!.entries()) worst = Math.max(worst, Math.abs(value - data[i * width + j]!));
    }
    expect(worst).toBeLessThan(errors[dtype]);
    expect(worst).toBeGreaterThan(errors[dtype] / 50);
    encoder.dispose();
  });
});
