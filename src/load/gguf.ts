import { badCheckpoint as bad, unsupportedCheckpoint } from '../plan/error.ts';
import { ByteReader, type Files, maxTextBytes } from './files.ts';
import { ggufTypes, typeName } from './gguf-types.ts';
import type { StoredTensor } from './safetensors.ts';

/** A value of the metadata; true is 1. Arrays that nobody asks for are passed over. */
export type FieldValue = string | number | readonly string[] | readonly number[];

/** A GGUF file without its tensors' bytes. */
export interface GgufFile {
  fields: ReadonlyMap<string, FieldValue>;
  tensors: StoredTensor[];
}

/** What the first request brings: GPT-2's vocabulary and all before and behind it. */
const openingBytes = 2 << 20;

/** The arrays that are kept; others may be of any length. */
const wantedArrays = [
  ...['tokens', 'merges', 'token_type', 'scores'].map((name) => `tokenizer.ggml.${name}`),
  'adapter.alora.invocation_tokens',
];
/** More than any vocabulary has, and more tensors or fields than any model. */
const maxElements = 1 << 22;
const maxEntries = 1 << 16;
const maxDepth = 4;

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Metadata and tensors of a GGUF file (version 2 or 3), all checked: every length and count against what the file can
 * hold, offsets aligned, within the file and without overlap. Undefined if there is no such file. The header's length
 * stands nowhere, so that it is parsed anew over twice as many bytes until it is whole.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function readGguf(files: Files, file: string, signal?: AbortSignal): Promise<GgufFile | undefined> {
  let bytes = new Uint8Array();
  for (let wanted = openingBytes; ; wanted *= 2) {
    const opened = await files.open(file, bytes.length, wanted, signal);
    if (!opened) return undefined;
    const reader = new ByteReader(opened.bytes, bytes.length);
    const longer = new Uint8Array(Math.min(wanted, opened.size ?? wanted));
    longer.set(bytes);
    const added = await reader.fill(longer.subarray(bytes.length), signal).finally(() => reader.cancel());
    bytes = longer.subarray(0, bytes.length + added);
    const size = bytes.length < wanted ? bytes.length : opened.size;
    try {
      return new Header(bytes, file, size).parse();
    } catch (error) {
      if (error !== more) throw error;
    }
  }
}

/** Thrown where a header goes on behind the bytes that are there. */
const more = Symbol('more');

interface FieldType {
  /** Of a string and an array at least. */
  bytes: number;
  read?(view: DataView, at: number): number | bigint;
}
/** The types of metadata in the order of their numbers. */
const fieldTypes = new Map<string, FieldType>([
  ['u8', { bytes: 1, read: (view, at) => view.getUint8(at) }],
  ['i8', { bytes: 1, read: (view, at) => view.getInt8(at) }],
  ['u16', { bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  ['i16', { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  ['u32', { bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  ['i32', { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  ['f32', { bytes: 4, read: (view, at) => view.getFloat32(at, true) }],
  ['bool', { bytes: 1, read: (view, at) => view.getUint8(at) }],
  ['string', { bytes: 8 }],
  ['array', { bytes: 12 }],
  ['u64', { bytes: 8, read: (view, at) => view.getBigUint64(at, true) }],
  ['i64', { bytes: 8, read: (view, at) => view.getBigInt64(at, true) }],
  ['f64', { bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
]);
const typesById = [...fieldTypes.keys()];

/** The beginning of a file, being parsed. */
class Header {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #size: number | undefined;
  /** Where a header has to end at the latest. */
  readonly #limit: number;
  #position = 0;
  /** What is being read, for messages. */
  #what = 'the header';

  /** @param size the whole file's, if known */
  constructor(bytes: Uint8Array, file: string, size: number | undefined) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
    this.#size = size;
    this.#limit = Math.min(maxTextBytes, size ?? maxTextBytes);
  }

  parse(): GgufFile {
    this.#checkVersion();
    const tensorCount = this.#count('the number of tensors', 24, maxEntries);
    const fieldCount = this.#count('the number of metadata fields', 13, maxEntries);
    const fields = new Map<string, FieldValue>();
    for (let i = 0; i < fieldCount; i++) {
      this.#what = `metadata field ${i}`;
      const key = this.#string();
      this.#what = key;
      if (fields.has(key)) throw bad(`${this.#file} has the metadata field ${key} twice.`);
      const value = this.#value(this.#type(), wantedArrays.includes(key));
      if (value !== undefined) fields.set(key, value);
    }
    const tensors: StoredTensor[] = [];
    for (let i = 0; i < tensorCount; i++) tensors.push(this.#tensor(i));
    this.#place(tensors, this.#alignment(fields));
    return { fields, tensors };
  }

  #checkVersion(): void {
    const magic = String.fromCharCode(...this.#bytes.subarray(0, 4));
    if (magic !== 'GGUF') {
      const hint = magic === 'vers' ? 'It is a Git LFS pointer: run `git lfs pull`.' : 'Check where it came from.';
      throw bad(`${this.#file} begins with ${JSON.stringify(magic)}; expected "GGUF".`, hint);
    }
    this.#position = 4;
    const version = this.#number('u32');
    if (version === 2 || version === 3) return;
    const swapped = version > 0xffff ? ', as big-endian files do' : '';
    const hint = "Convert the model again with llama.cpp's convert_hf_to_gguf.py.";
    throw unsupportedCheckpoint(`${this.#file} has GGUF version ${version}${swapped}; expected 3.`, hint);
  }

  #tensor(index: number): StoredTensor {
    this.#what = `tensor ${index}`;
    const name = this.#string();
    this.#what = `the tensor ${name}`;
    const axes = this.#number('u32');
    if (axes > 4) throw bad(`${name} in ${this.#file} has ${axes} axes; expected at most 4.`);
    const shape = Array.from({ length: axes }, () => this.#number('u64')).reverse();
    const dtype = typeName(this.#number('u32'));
    const start = this.#number('u64');
    const values = shape.reduce((product, axis) => product * axis, 1);
    const type = ggufTypes.get(dtype);
    const row = shape.at(-1) ?? 1;
    if (type && row % type.block !== 0) {
      throw bad(`${name} in ${this.#file} has rows of ${row} values; expected a multiple of ${dtype}'s ${type.block}.`);
    }
    const bytes = type ? (values / type.block) * type.bytes : 0; // of other types it is not known, nor are they read
    if (!Number.isSafeInteger(values) || !Number.isSafeInteger(start + bytes)) {
      throw bad(`${name} in ${this.#file} has the shape [${shape}] at offset ${start}, more than any file holds.`);
    }
    return { name, file: this.#file, dtype, shape, start, end: start + bytes };
  }

  #alignment(fields: ReadonlyMap<string, FieldValue>): number {
    const alignment = fields.get('general.alignment') ?? 32;
    if (typeof alignment === 'number' && alignment > 0 && alignment % 8 === 0) return alignment;
    throw bad(`general.alignment in ${this.#file} is ${JSON.stringify(alignment)}; expected a multiple of 8.`);
  }

  /** Turns offsets in the data into offsets in the file, and checks them. */
  #place(tensors: StoredTensor[], alignment: number): void {
    const base = Math.ceil(this.#position / alignment) * alignment;
    const names = new Set<string>();
    let before: StoredTensor | undefined;
    for (const tensor of [...tensors].sort((a, b) => a.start - b.start || a.end - b.end)) {
      const { name, start } = tensor;
      const at = `${name} in ${this.#file} begins at data offset ${start}`;
      if (names.has(name)) throw bad(`${this.#file} has the tensor ${name} twice.`);
      names.add(name);
      if (start % alignment !== 0) throw bad(`${at}; expected a multiple of the alignment ${alignment}.`);
      if (before && base + start < before.end) throw bad(`${at}, within ${before.name}.`);
      tensor.start += base;
      tensor.end += base;
      before = tensor;
      if (this.#size !== undefined && tensor.end > this.#size) {
        throw bad(`${name} ends at byte ${tensor.end}; ${this.#file} has ${this.#size}.`, 'Fetch it again.');
      }
    }
  }

  /** A value of a type; undefined for what is passed over. */
  #value(type: string, wanted: boolean, depth = 0): FieldValue | undefined {
    if (type === 'string') return this.#string();
    if (type !== 'array') return this.#number(type);
    const element = this.#type();
    const each = fieldTypes.get(element)!.bytes;
    const keeps = wanted && element !== 'array';
    const count = this.#count(`the length of ${this.#what}`, each, keeps ? maxElements : undefined);
    if (keeps) {
      return element === 'string'
        ? Array.from({ length: count }, () => this.#string())
        : Array.from({ length: count }, () => Number(this.#number(element)));
    }
    if (depth === maxDepth) throw bad(`${this.#what} in ${this.#file} has arrays nested deeper than ${maxDepth}.`);
    if (element === 'string') for (let i = 0; i < count; i++) this.#take(this.#count(this.#what, 1));
    else if (element === 'array') for (let i = 0; i < count; i++) this.#value('array', false, depth + 1);
    else this.#take(count * each);
    return undefined;
  }

  #type(): string {
    const id = this.#number('u32');
    const type = typesById[id];
    if (type === undefined) throw bad(`${this.#what} in ${this.#file} has the metadata type ${id}; expected 0 to 12.`);
    return type;
  }

  #string(): string {
    const length = this.#count(`the length of ${this.#what}`, 1);
    const start = this.#take(length);
    try {
      return text.decode(this.#bytes.subarray(start, start + length));
    } catch (cause) {
      throw bad(`${this.#what} in ${this.#file} is not UTF-8 text.`, undefined, cause);
    }
  }

  /** A count of things of at least `each` bytes, of which the file has room for so many. */
  #count(what: string, each: number, most = Number.POSITIVE_INFINITY): number {
    const count = this.#number('u64');
    const room = Math.max(0, this.#limit - this.#position);
    if (count <= most && count * each <= room) return count;
    const limit = Math.min(most, Math.floor(room / each));
    const holds = `; expected at most ${limit} in ${this.#size ?? 'so many'} bytes`;
    throw bad(`${this.#file} says ${what} is ${count}${holds}.`, 'Fetch it again.');
  }

  #number(type: string): number {
    const at = this.#take(fieldTypes.get(type)!.bytes);
    // Beyond 2^53 only the magnitude matters: everything is held against what the file can have.
    return Number(fieldTypes.get(type)!.read!(this.#view, at));
  }

  /** Passes over so many bytes and says where they begin. */
  #take(length: number): number {
    const start = this.#position;
    if (start + length > this.#limit) {
      const ends = this.#limit === this.#size ? 'ends' : 'has no end of its header';
      throw bad(`${this.#file} ${ends} at byte ${this.#limit}, within ${this.#what}.`, 'Fetch it again.');
    }
    if (start + length > this.#bytes.length) throw more;
    this.#position = start + length;
    return start;
  }
}
