import type { WeightFormat, WeightRows } from '../plan/backend.ts';
import { storedBlock } from '../plan/formats.ts';
import { halfTable } from '../plan/half.ts';
import type { StoredAs } from './checkpoint.ts';

/** How the values of a tensor are stored. */
export interface ValueType {
  /** Values of a block, and its bytes. */
  block: number;
  bytes: number;
  storedAs: StoredAs;
  /** Writes a block's values to `out` from index `at` on; absent for plain floats. */
  unpack?(bytes: Uint8Array, out: Float32Array, at: number): void;
}

/** The types that safetensors' weights are read from. */
export const floatTypes: ReadonlyMap<string, ValueType> = new Map([
  ['F32', { block: 1, bytes: 4, storedAs: 'f32' }],
  ['F16', { block: 1, bytes: 2, storedAs: 'f16' }],
  ['BF16', { block: 1, bytes: 2, storedAs: 'bf16' }],
  ['F64', { block: 1, bytes: 8, storedAs: 'f32' }],
]);

/** Memory for rows of one tensor after the other: fresh pages take as long as what is done with them. */
export class Room {
  #memory = new ArrayBuffer();

  /** Rows of so many values, as `format` has them in a file, or without it in float32: until the next are asked for. */
  rows(format: WeightFormat | undefined, length: number): WeightRows {
    const isPacked = format === 'q8' || format === 'q4';
    const bytes = isPacked ? (length / 32) * storedBlock(format) : length * (format ? 2 : 4);
    if (this.#memory.byteLength < bytes) this.#memory = new ArrayBuffer(bytes);
    if (isPacked) return new Uint8Array(this.#memory, 0, bytes);
    return format ? new Uint16Array(this.#memory, 0, length) : new Float32Array(this.#memory, 0, length);
  }
}

export function areSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false; // `some` takes five times as long, for 150 MB of words
  return a.length > 0;
}

/**
 * Fills `values` from the next bytes of a file. `read` fills a byte array. The raw bytes go into `values` itself,
 * at its end, and are widened in place from the front, which never catches up with what is still to be read.
 */
export async function fillValues(values: WeightRows, type: ValueType, read: (bytes: Uint8Array) => Promise<void>) {
  if (!(values instanceof Float32Array))
    return read(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const count = values.length;
  if (type.bytes > 4 * type.block) return fillFromDoubles(values, read);
  const length = (count / type.block) * type.bytes;
  const offset = values.byteOffset + values.byteLength - length;
  const bytes = new Uint8Array(values.buffer, offset, length);
  await read(bytes);
  if (type.unpack) return unpackBlocks(values, bytes, type);
  if (type.storedAs === 'f32') return;
  const raw = new Uint16Array(values.buffer, offset, count);
  if (type.storedAs === 'f16') {
    const half = halfTable();
    for (let i = 0; i < count; i++) values[i] = half[raw[i]!]!;
  } else {
    const bits = new Uint32Array(values.buffer, values.byteOffset, count);
    for (let i = 0; i < count; i++) bits[i] = raw[i]! << 16; // bfloat16 is float32's upper half
  }
}

/** They are wider than what they become, so they come in portions. */
async function fillFromDoubles(values: Float32Array, read: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const portion = new Float64Array(Math.min(values.length, 1 << 14));
  for (let at = 0; at < values.length; at += portion.length) {
    const part = portion.subarray(0, values.length - at);
    await read(new Uint8Array(part.buffer, 0, part.byteLength));
    values.set(part, at);
  }
}

function unpackBlocks(values: Float32Array, bytes: Uint8Array, { block, bytes: size, unpack }: ValueType): void {
  const one = new Uint8Array(size); // the last block's values come to lie over its own bytes
  for (let b = 0; b * size < bytes.length; b++) {
    for (let i = 0; i < size; i++) one[i] = bytes[b * size + i]!;
    unpack!(one, values, b * block);
  }
}

/** The first value that is no number, if any; of rows as the file has them, in that format, too. */
export function unsound(values: WeightRows, format: WeightFormat = 'f32'): number | undefined {
  let found = 0;
  if (values instanceof Uint8Array) {
    // Of blocks the scale alone, a half, can be none.
    for (let at = 0; at < values.length; at += storedBlock(format))
      if ((values[at + 1]! & 0x7c) === 0x7c) return Number.NaN;
    return undefined;
  }
  if (values instanceof Uint16Array) {
    const exponent = format === 'bf16' ? 0x7f80 : 0x7c00;
    for (let i = 0; i < values.length; i++) if ((values[i]! & exponent) === exponent) found++;
    const bits = found && values.find((value) => (value & exponent) === exponent)!;
    if (!found) return undefined;
    return format === 'bf16' ? new Float32Array(Uint32Array.of(bits << 16).buffer)[0] : halfTable()[bits];
  }
  // Zero times a finite number is zero: sums show any other without a branch for each, and two of them do not wait for one another.
  let odd = 0;
  for (let i = 1; i < values.length; i += 2) {
    found += values[i - 1]! * 0;
    odd += values[i]! * 0;
  }
  if (values.length % 2 > 0) found += values.at(-1)! * 0;
  return found + odd === 0 ? undefined : values.find((value) => !Number.isFinite(value));
}

/** Rows of the transpose of `stored` [columns, rows], from row `first` on, into `out` [out.length / columns, columns]. */
export function transposeRows<T extends WeightRows>(stored: T, rows: number, first: number, out: T, columns: number) {
  const count = out.length / columns;
  const block = 64; // rows whose lines stay in the first cache while the columns pass, four at a time
  for (let r0 = 0; r0 < count; r0 += block) {
    const r1 = Math.min(r0 + block, count);
    let c = 0;
    for (; c + 4 <= columns; c += 4) {
      let [from, to] = [c * rows + first + r0, r0 * columns + c];
      for (let r = r0; r < r1; r++, from++, to += columns) {
        out[to] = stored[from]!;
        out[to + 1] = stored[from + rows]!;
        out[to + 2] = stored[from + 2 * rows]!;
        out[to + 3] = stored[from + 3 * rows]!;
      }
    }
    for (; c < columns; c++) for (let r = r0; r < r1; r++) out[r * columns + c] = stored[c * rows + first + r]!;
  }
  return out;
}

/** Rows of so many values, put in an order: row i is the given row. */
export function inOrder<T extends WeightRows>(values: T, width: number, order: (i: number) => number): T {
  const ordered = values.slice() as T;
  for (let i = 0; i * width < values.length; i++) {
    const from = order(i) * width;
    ordered.set(values.subarray(from, from + width), i * width);
  }
  return ordered;
}

/** What `inOrder` has put in an order, as it was. */
export function outOfOrder(values: Float32Array, width: number, order: (i: number) => number) {
  const stored = new Float32Array(values.length);
  for (let i = 0; i * width < values.length; i++)
    stored.set(values.subarray(i * width, (i + 1) * width), order(i) * width);
  return stored;
}

const finestFirst: readonly StoredAs[] = ['f32', 'bf16', 'f16', 'other', 'q8', 'q4'];

/** What is kept of a weight whose parts are stored differently: all of the finest, and beside bfloat16, which has fewer bits, f32. */
export function finestOf(stored: readonly StoredAs[]): StoredAs {
  if (stored.includes('bf16') && stored.some((one) => one !== 'bf16')) return 'f32';
  return finestFirst.find((one) => stored.includes(one)) ?? 'f32';
}
