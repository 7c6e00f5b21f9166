import { badCheckpoint } from '../plan/error.ts';
import { product } from '../plan/plan.ts';
import { ByteReader, exists, type Files } from './files.ts';
import { readDirectory, type StoredTensor } from './safetensors.ts';
import { otherKinds } from './suspects.ts';
import { areSame, fillValues, floatTypes, type ValueType } from './values.ts';

/**
 * The tensors of a safetensors file beside the model's own, by name, all read at once: those of a layer, not of a model.
 * @throws VitrineError `bad-checkpoint`, `network`, `unsupported-checkpoint` where there is only a pickle
 */
export async function readSmallTensors(files: Files, file: string, signal?: AbortSignal) {
  const stored = await readDirectory(files, file, signal);
  if (!stored) {
    const pickle = `${file.slice(0, file.lastIndexOf('/') + 1)}pytorch_model.bin`;
    if (!(await exists(files, pickle, signal))) throw files.missing(file);
    throw (await otherKinds()).pickled(
      pickle,
      'Save the model again in Python, with save_pretrained(FOLDER, safe_serialization=True).',
    );
  }
  return valuesOf(files, file, stored, floatTypes, signal);
}

/** The values of tensors of a file, by name; those of other types than these are left alone. */
export async function valuesOf(
  files: Files,
  file: string,
  stored: readonly StoredTensor[],
  types: ReadonlyMap<string, ValueType>,
  signal?: AbortSignal,
): Promise<Map<string, { data: Float32Array; shape: number[] }>> {
  const tensors = new Map<string, { data: Float32Array; shape: number[] }>();
  for (const { name, dtype, shape, start, end } of stored) {
    const type = types.get(dtype);
    if (!type) continue;
    const data = new Float32Array(product(shape));
    const opened = await files.open(file, start, end, signal);
    if (!opened) throw files.missing(file);
    const reader = new ByteReader(opened.bytes, start);
    try {
      await fillValues(data, type, async (bytes) => {
        if ((await reader.fill(bytes, signal)) < bytes.length) throw badCheckpoint(`${file} ends within ${name}.`);
      });
    } finally {
      reader.cancel();
    }
    if (!data.every(Number.isFinite)) throw badCheckpoint(`${name} in ${file} holds what is no number.`);
    tensors.set(name, { data, shape });
  }
  return tensors;
}

/** Whether the first `length` bytes of two tensors are equal. */
export async function areEqual(files: Files, a: StoredTensor, b: StoredTensor, length: number, signal?: AbortSignal) {
  const readers: ByteReader[] = [];
  try {
    for (const { file, start, end } of [a, b]) {
      const opened = await files.open(file, start, Math.min(end, start + length), signal);
      if (!opened) throw files.missing(file);
      readers.push(new ByteReader(opened.bytes, start));
    }
    for (let left = Math.min(length, a.end - a.start); left > 0; ) {
      const ours = (await readers[0]!.next(Math.min(left, 1 << 20), signal)) ?? new Uint8Array();
      const theirs = new Uint8Array(ours.length);
      await readers[1]!.fill(theirs, signal);
      if (!areSame(ours, theirs)) return false;
      left -= ours.length;
    }
    return true;
  } finally {
    for (const reader of readers) reader.cancel();
  }
}
