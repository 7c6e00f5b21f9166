import { openCheckpoint } from '../../src/load/open.ts';
import type { EncoderDecoder } from '../../src/run/encoder-decoder.ts';
import { loadEncoderDecoderCheckpoint } from '../../src/run/load-encoder-decoder.ts';
import type { LoadOptions } from '../../src/run/loading.ts';
import { sharedDevice } from '../backends.ts';
import { readFixture, readModelFile } from '../fixtures.ts';

const names = [
  ...['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'],
  ...['special_tokens_map.json', 'vocab.json', 'merges.txt', 'source.spm', 'target.spm', 'spiece.model'],
];

/** The files of an embedded model, or of a family's fixture. */
export async function translatorFiles(name: string, changed: Record<string, string | undefined> = {}): Promise<File[]> {
  const isEmbedded = name.startsWith('tiny-');
  const file = async (path: string) => {
    const given = changed[path];
    if (path in changed) return given === undefined ? undefined : new File([given], path);
    const bytes = await (isEmbedded ? readModelFile(`${name}/${path}`) : readFixture(`families/${name}/${path}`)).catch(
      () => undefined,
    );
    return bytes && new File([new Uint8Array(bytes)], path);
  };
  return (await Promise.all(names.map(file))).filter((one) => one !== undefined);
}

/** An encoder-decoder, by default on the CPU; `webgpu` is the device that the tests share. */
export async function openTranslator(
  name: string,
  { device = 'cpu', ...options }: LoadOptions = {},
  changed: Record<string, string | undefined> = {},
  chunk?: number,
): Promise<EncoderDecoder> {
  const checkpoint = await openCheckpoint(await translatorFiles(name, changed), { kind: 'encoder-decoder' });
  const on = device === 'webgpu' ? await sharedDevice() : device;
  return loadEncoderDecoderCheckpoint(checkpoint, { ...options, device: on }, chunk);
}
