import { openCheckpoint } from '../../src/load/open.ts';
import { type LoadOptions, loadCheckpoint } from '../../src/run/load.ts';
import type { Model } from '../../src/run/model.ts';
import { readFixture } from '../fixtures.ts';
import { type TinyOptions, tinyCheckpoint, tinyFiles } from '../load/tiny-checkpoint.ts';
import { randomValues } from '../ops/mini-plan.ts';

async function fileOf(path: string, name = path.slice(path.lastIndexOf('/') + 1)): Promise<File> {
  return new File([new Uint8Array(await readFixture(path))], name);
}

/** The fixture's files, as `load` takes them. */
export async function fixtureFiles(folder: 'tiny-gpt2' | 'nano-sort', weights = 'model.safetensors'): Promise<File[]> {
  const files = [fileOf(`${folder}/config.json`), fileOf(`${folder}/${weights}`, 'model.safetensors')];
  if (folder === 'tiny-gpt2') files.push(fileOf(`${folder}/tokenizer.json`));
  return Promise.all(files);
}

export async function openFixture(
  folder: 'tiny-gpt2' | 'nano-sort',
  options: LoadOptions = {},
  chunk?: number,
): Promise<Model> {
  const checkpoint = await openCheckpoint(await fixtureFiles(folder));
  return loadCheckpoint(checkpoint, { device: 'cpu', ...options }, chunk);
}

/** A model of random weights: 12 positions and 16 words unless told otherwise, decided enough to have distinct logits. */
export async function openTiny(shape: TinyOptions = {}, options: LoadOptions = {}, chunk?: number): Promise<Model> {
  const made = tinyCheckpoint({ nLayer: 2, nCtx: 12, ...shape });
  let seed = 1;
  for (const tensor of made.tensors.values()) {
    const values = randomValues(tensor.bytes.length / 4, seed++);
    tensor.bytes = new Uint8Array(values.buffer as ArrayBuffer);
  }
  const checkpoint = await openCheckpoint(tinyFiles(made));
  return loadCheckpoint(checkpoint, { device: 'cpu', ...options }, chunk);
}
