import { type Files, isObject, parseJson, readText } from '../load/files.ts';
import { readSmallTensors } from '../load/small-tensors.ts';
import { badCheckpoint } from '../plan/error.ts';
import type { ClassHead } from '../plan/plan.ts';
import { writeSafetensors } from './write.ts';

export type { ClassHead };

const [jsonFile, tensorFile] = ['head.json', 'head.safetensors'];

/** A head's files: head.json with its labels and the width of its features, head.safetensors with `weight` and `bias`. */
export function headFiles({ labels, weight, bias }: ClassHead): Record<string, Uint8Array<ArrayBuffer>> {
  const features = weight.length / labels.length;
  const tensors = new Map([
    ['weight', { data: weight, shape: [labels.length, features] }],
    ['bias', { data: bias, shape: [labels.length] }],
  ]);
  const json = `${JSON.stringify({ labels, features }, null, 2)}\n`;
  return {
    [jsonFile]: new TextEncoder().encode(json) as Uint8Array<ArrayBuffer>,
    [tensorFile]: writeSafetensors(tensors, { format: 'pt' }),
  };
}

/**
 * The head of a folder, where there is one.
 * @throws VitrineError `bad-checkpoint`, `network`
 */
export async function readHead(files: Files, signal: AbortSignal | undefined): Promise<ClassHead | undefined> {
  const text = await readText(files, jsonFile, signal);
  if (text === undefined) return undefined;
  const json = parseJson(text, jsonFile);
  const { labels, features } = isObject(json) ? json : {};
  const isNames = Array.isArray(labels) && labels.length > 0 && labels.every((one) => typeof one === 'string');
  if (!isNames || !Number.isInteger(features)) {
    throw badCheckpoint(`${jsonFile} has no labels and features; expected a list of names and a width.`);
  }
  const tensors = await readSmallTensors(files, tensorFile, signal);
  const read = (name: string, shape: readonly number[]) => {
    const found = tensors.get(name);
    if (found?.shape.join() === shape.join()) return found.data;
    throw badCheckpoint(
      `${tensorFile} has ${name} of shape [${found?.shape}]; expected [${shape}], as ${jsonFile} says.`,
    );
  };
  const width = features as number;
  return { labels, weight: read('weight', [labels.length, width]), bias: read('bias', [labels.length]) };
}
