import { describe, expect, test } from 'vitest';
import { load, loadEncoder, loadEncoderDecoder, loadVision } from '../../src/index.ts';
import type { Loaded } from '../../src/run/loaded.ts';
import { backends, isFull, sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { familyGguf, fixtureTensors } from '../load/gguf-families.ts';
import { type Header, lengthBytes } from '../load/tiny-checkpoint.ts';
import { encodeGguf } from '../load/tiny-gguf.ts';
import { decoders } from './decoder-case.ts';
import { encoderFiles, familyFiles } from './families.ts';

type Floats = Float32Array<ArrayBuffer>;

/** The upper halves of floats. */
const brains = (values: Floats) =>
  Uint16Array.from(new Uint32Array(values.buffer, 0, values.length), (bits) => bits >>> 16);

/** The floats of which only the upper halves are left. */
const cut = (values: Floats): Floats => new Float32Array(Uint32Array.from(brains(values), (bits) => bits << 16).buffer);

/** A fixture's folder with the upper halves of its weights alone: as BF16, or the same numbers as F32. */
async function folderIn(dtype: 'BF16' | 'F32', folder: string): Promise<File[]> {
  const header: Header = {};
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let end = 0;
  for (const [name, { shape, values }] of await fixtureTensors(folder)) {
    if (name.endsWith('position_ids')) continue; // whole numbers, and no weights
    const { buffer } = dtype === 'BF16' ? brains(values) : cut(values);
    header[name] = { dtype, shape, data_offsets: [end, (end += buffer.byteLength)] };
    parts.push(new Uint8Array(buffer));
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const files = await familyFiles(folder, ['config.json', 'source.spm', 'target.spm', 'vocab.json', ...encoderFiles]);
  return [...files, new File([lengthBytes(json.length), json, ...parts], 'model.safetensors')];
}

/** The same as a GGUF file; vectors are F32 there. */
async function ggufIn(dtype: 'BF16' | 'F32', folder: string): Promise<File[]> {
  const parts = await familyGguf(folder, 'llama');
  for (const tensor of parts.tensors) {
    const values = new Float32Array(tensor.bytes.slice().buffer);
    const isBrain = dtype === 'BF16' && tensor.axes.length > 1;
    tensor.bytes = new Uint8Array(
      isBrain ? brains(values).buffer : tensor.axes.length > 1 ? cut(values).buffer : values.buffer,
    );
    if (isBrain) tensor.type = 30;
  }
  return [new File([encodeGguf(parts)], 'model.gguf')];
}

const ids = [5, 9, 33, 2, 17, 40, 8];
type Device = Parameters<typeof load>[1];

/** A family's numbers for the same ids, however it is called. */
const runs = {
  decoder: async (files: File[], how: Device) => {
    const model = await load(files, how);
    return { model, data: (await model.logits(ids, { positions: [...ids.keys()] })).data };
  },
  encoder: async (files: File[], how: Device) => {
    const model = await loadEncoder(files, how);
    return { model, data: (await model.run([{ ids }])).logits![0]!.data };
  },
  'encoder-decoder': async (files: File[], how: Device) => {
    const model = await loadEncoderDecoder(files, how);
    return { model, data: (await model.run(ids, ids.slice(0, 3))).logits.data };
  },
  vision: async (files: File[], how: Device) => {
    const model = await loadVision(files, how);
    const [height, width] = model.config.imageSize;
    const shape: [number, number, number] = [model.config.channels, height, width];
    const pixels = Float32Array.from({ length: shape[0] * height * width }, (_, i) => Math.sin(i));
    return { model, data: (await model.run({ pixels, shape })).logits.data };
  },
} satisfies Record<string, (files: File[], how: Device) => Promise<{ model: Loaded<unknown>; data: Float32Array }>>;

const folders: [string, keyof typeof runs][] = [
  ...decoders.map((folder): [string, 'decoder'] => [folder, 'decoder']),
  ['bert-mlm', 'encoder'],
  ['t5-v1.1', 'encoder-decoder'],
  ['marian-relu', 'encoder-decoder'],
  ['vit', 'vision'],
];

describe.each(backends.map(({ name }) => name))('BF16 on %s', (name) => {
  // A software GPU compiles the kernels of each shape and format, which are those of test/ops/linear.test.ts.
  const some = name === 'webgpu' && !isFull ? [] : folders;
  const device = async () => (name === 'webgpu' ? await sharedDevice() : name);

  test.each(some)('%s: kept as the file has it, and what it computes is what its numbers do', async (folder, kind) => {
    const found = await runs[kind](await folderIn('BF16', folder), { device: await device() });
    const wide = await runs[kind](await folderIn('F32', folder), { device: 'cpu', dtype: 'f32' });
    expectClose(found.data, wide.data, { relative: 2e-5 }, 'logits');
    expect(found.model.device).toMatchObject({ dtype: 'bf16' });
    expect(found.model.device.bytes).toBeLessThan(0.7 * wide.model.device.bytes);
    for (const { name } of found.model.weights().slice(0, 4)) {
      const [kept, exact] = [await found.model.weight(name), await wide.model.weight(name)];
      expectClose(kept.data, exact.data, { absolute: 0 }, name);
    }
    for (const { model } of [found, wide]) model.dispose();
  });

  test('GGUF tensors of the type', async () => {
    const found = await runs.decoder(await ggufIn('BF16', 'llama-gqa'), { device: await device() });
    const wide = await runs.decoder(await ggufIn('F32', 'llama-gqa'), { device: 'cpu', dtype: 'f32' });
    expectClose(found.data, wide.data, { relative: 2e-5 }, 'logits');
    expect(found.model.device).toMatchObject({ dtype: 'bf16' });
    for (const { model } of [found, wide]) model.dispose();
  });

  test('asked for, a file of F32 is rounded to it', async () => {
    const found = await runs.decoder(await folderIn('F32', 'llama-gqa'), { device: await device(), dtype: 'bf16' });
    const kept = await runs.decoder(await folderIn('BF16', 'llama-gqa'), { device: await device() });
    expect(found.data).toEqual(kept.data);
    for (const { model } of [found, kept]) model.dispose();
  });
});
