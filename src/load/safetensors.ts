import { badCheckpoint as bad, type VitrineError } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import { ByteReader, decodeText, type Files, isObject, maxTextBytes, parseJson } from './files.ts';
import { otherKinds } from './suspects.ts';
import { floatTypes } from './values.ts';

/** A tensor as it lies in a file. */
export interface StoredTensor {
  /** Its name in the file. */
  name: string;
  file: string;
  dtype: string;
  shape: number[];
  /** Its bytes [start, end) in the file. */
  start: number;
  end: number;
}

/** A tensor of which a weight is made, by the plan's name of it, and what it is in the weight. */
export interface Piece {
  name: string;
  tensor: StoredTensor;
  rows: number;
  columns: number;
}

/** What one request brings of a file before its header's length is known: more than GPT-2's headers take. */
const openingBytes = 1 << 16;

/** What a model's weight files hold. */
export interface Directory {
  tensors: StoredTensor[];
  /** Why a tensor that an index lists is not among them, by its name. */
  absent?: ReadonlyMap<string, VitrineError>;
}

/**
 * The tensors of a .safetensors file, all checked: offsets within the file, without overlap or hole, as many bytes as
 * shape and type make. Undefined if there is no such file.
 * Format: https://github.com/huggingface/safetensors#format
 */
export async function readDirectory(files: Files, file: string, signal?: AbortSignal) {
  let opened = await files.open(file, 0, openingBytes, signal);
  if (!opened) return undefined;
  const { size } = opened;
  let reader = new ByteReader(opened.bytes, 0);
  try {
    const start = new Uint8Array(8);
    const count = await reader.fill(start, signal);
    if (count < 8) throw bad(`${file} is ${count} bytes long; expected at least the 8 of a safetensors header.`);
    const length = Number(new DataView(start.buffer).getBigUint64(0, true));
    const limit = Math.min(maxTextBytes, (size ?? Number.POSITIVE_INFINITY) - 8);
    if (length > limit) throw (await otherKinds()).notSafetensors(start, file, length, limit);
    if (8 + length > openingBytes) {
      reader.cancel();
      opened = await files.open(file, 8, 8 + length, signal);
      if (!opened) throw files.missing(file);
      reader = new ByteReader(opened.bytes, 8);
    }
    const header = new Uint8Array(length);
    const found = await reader.fill(header, signal);
    if (found < length)
      throw bad(`${file} ends after ${found} of the ${length} bytes of its header.`, 'Fetch it again.');
    return parseHeader(header.buffer, file, size);
  } finally {
    reader.cancel();
  }
}

function parseHeader(bytes: ArrayBuffer, file: string, size: number | undefined): StoredTensor[] {
  const what = `The header of ${file}`;
  const json = parseJson(decodeText(bytes, what), what);
  if (!isObject(json)) throw bad(`${what} is not an object of tensors.`);
  const base = 8 + bytes.byteLength;
  const tensors: StoredTensor[] = [];
  for (const [name, entry] of Object.entries(json)) {
    if (name !== '__metadata__') tensors.push(parseEntry(name, entry, file, base));
  }
  // As the format demands: tensors fill the file to its end. So overlaps and hidden bytes cannot be.
  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  let end = base;
  for (const tensor of tensors) {
    if (tensor.start !== end) {
      const does = tensor.start < end ? 'overlaps the tensor before it' : 'leaves a hole before it';
      const found = `${tensor.name} in ${file} begins at data offset ${tensor.start - base} and ${does}`;
      throw bad(`${found}; expected ${end - base}.`);
    }
    end = tensor.end;
  }
  if (size !== undefined && size !== end) {
    throw bad(`${file} has ${size} bytes; expected ${end}, where its last tensor ends.`, 'Fetch it again.');
  }
  return tensors;
}

function parseEntry(name: string, entry: unknown, file: string, base: number): StoredTensor {
  const wrong = (field: string, value: unknown, expected: string) =>
    bad(`${field} of ${name} in ${file} is ${show(value)}; expected ${expected}.`);
  if (!isObject(entry)) throw wrong('The entry', entry, 'an object');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string') throw wrong('dtype', dtype, 'the name of a type');
  if (!isSizes(shape)) throw wrong('shape', shape, 'a list of sizes');
  if (!isSizes(offsets) || offsets.length !== 2) throw wrong('data_offsets', offsets, 'two offsets');
  const [start, end] = offsets as [number, number];
  // What is stored as other types is never read, so that its length may stay unknown.
  const bytes = shape.reduce((product, axis) => product * axis, floatTypes.get(dtype)?.bytes ?? Number.NaN);
  if (end < start || (end - start !== bytes && !Number.isNaN(bytes))) {
    throw wrong('data_offsets', offsets, `${bytes} bytes, as dtype ${dtype} and shape [${shape}] make`);
  }
  return { name, file, dtype, shape, start: base + start, end: base + end };
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
