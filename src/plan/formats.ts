import type { WeightFormat, WeightRows } from './backend.ts';
import { brainsFromFloats, halfFromFloat, halfTable, halvesFromFloats } from './half.ts';

/** Weights that share one scale in q8 and q4. */
export const BLOCK = 32;

/** Row length in memory: rows are padded with zeros to whole pairs of blocks, so that every kernel reads whole vectors. */
export const strideOf = (columns: number): number => Math.ceil(columns / 64) * 64;

/**
 * Rows of a matrix as they lie in memory, on every backend:
 *
 * - f32: `values` Float32 [rows, stride]
 * - bf16: `values` Uint16 (the upper half of a float32) [rows, stride]
 * - f16: `values` Uint16 (IEEE half) [rows, stride]
 * - q8:  `values` Int8 [rows, stride], weight = value * scale
 * - q4:  `values` Uint8 [rows, stride / 2], weight = (nibble - 8) * scale; byte j of a group of eight weights holds
 *        weight j in its low nibble and weight j + 4 in its high one, so that one mask yields four neighbours
 *
 * `scales` Uint16 (half) [rows, stride / 32]. The formats are llama.cpp's Q8_0 and Q4_0, and what it has put into one of
 * them is kept exactly.
 */
export interface PackedRows {
  values: Float32Array | Uint16Array | Int8Array | Uint8Array;
  scales?: Uint16Array;
}

/** What a format keeps of a weight: bits, in arrays of this kind, and whether blocks have scales. */
const kinds: Record<
  WeightFormat,
  { bits: number; scaled?: boolean; array: new (length: number) => PackedRows['values'] }
> = {
  f32: { bits: 32, array: Float32Array },
  bf16: { bits: 16, array: Uint16Array },
  f16: { bits: 16, array: Uint16Array },
  q8: { bits: 8, scaled: true, array: Int8Array },
  q4: { bits: 4, scaled: true, array: Uint8Array },
};

export const isScaled = (format: WeightFormat): boolean => kinds[format].scaled ?? false;

/** Bytes of the values of so many weights, and of their scales. */
export const valueBytesOf = (format: WeightFormat, weights: number): number => (weights * kinds[format].bits) / 8;
export const scaleBytesOf = (format: WeightFormat, weights: number): number =>
  isScaled(format) ? (weights / BLOCK) * 2 : 0;

/** Bytes of a matrix in a format, padding included. */
export function packedBytes(format: WeightFormat, rows: number, columns: number): number {
  const weights = rows * strideOf(columns);
  return valueBytesOf(format, weights) + scaleBytesOf(format, weights);
}

/** Room for so many weights, padding included. */
export function emptyRows(format: WeightFormat, weights: number): PackedRows {
  const { array: Values, bits } = kinds[format];
  const values = new Values(bits < 8 ? valueBytesOf(format, weights) : weights);
  return isScaled(format) ? { values, scales: new Uint16Array(weights / BLOCK) } : { values };
}

/** Elements of one row of weights: of blocks of Q8_0 and Q4_0 they are bytes. */
export function rowLength(format: WeightFormat, weights: WeightRows, columns: number): number {
  return weights instanceof Uint8Array ? (columns / BLOCK) * storedBlock(format) : columns;
}

/** Bytes of a block of Q8_0 or Q4_0: a half, the scale, and then the weights. */
export const storedBlock = (format: WeightFormat): number => (format === 'q8' ? 34 : 18);

/** Packs whole rows `[rows, columns]` of weights; those that are as a file has them stay the same numbers, in this format alone. */
export function packRows(format: WeightFormat, weights: WeightRows, columns: number): PackedRows {
  if (weights instanceof Uint8Array) return takeBlocks(format, weights, columns);
  const padded = restrided(weights, columns, strideOf(columns));
  if (padded instanceof Uint16Array) return { values: padded };
  switch (format) {
    case 'f32':
      return { values: padded };
    case 'bf16':
      return { values: brainsFromFloats(padded) };
    case 'f16':
      return { values: halvesFromFloats(padded) };
    case 'q8':
      return packQ8(padded);
    case 'q4':
      return packQ4(padded);
    default:
      return format satisfies never;
  }
}

/** The float32 values of one packed row, padding included, written to `out` [stride]. */
export function unpackRow(format: WeightFormat, packed: PackedRows, row: number, out: Float32Array): void {
  const stride = out.length;
  const half = halfTable();
  const { values, scales } = packed;
  const start = row * stride;
  if (format === 'f32') out.set((values as Float32Array).subarray(start, start + stride));
  else if (format === 'bf16') {
    const bits = new Uint32Array(out.buffer, out.byteOffset, stride);
    for (let i = 0; i < stride; i++) bits[i] = values[start + i]! << 16;
  } else if (format === 'f16') for (let i = 0; i < stride; i++) out[i] = half[values[start + i]!]!;
  else
    for (let i = 0; i < stride; i++) {
      const scale = half[scales![(start + i) >> 5]!]!;
      out[i] = scale * (format === 'q8' ? values[start + i]! : q4At(values as Uint8Array, start + i));
    }
}

function q4At(values: Uint8Array, index: number): number {
  const byte = values[(index >> 3) * 4 + (index & 3)]!;
  return (index & 4 ? byte >> 4 : byte & 15) - 8;
}

/** Rows of so many values as rows of others: cut, or padded with zeros. */
export function restrided<T extends Float32Array | Uint16Array>(values: T, from: number, to: number): T {
  if (from === to) return values;
  const rows = values.length / from;
  const made = new (values.constructor as new (length: number) => T)(rows * to);
  for (let r = 0; r < rows; r++) made.set(values.subarray(r * from, r * from + Math.min(from, to)), r * to);
  return made;
}

/** Rows as Q8_0 and Q4_0 have them: the same scales and values, which lie apart here. */
function takeBlocks(format: WeightFormat, bytes: Uint8Array, columns: number): PackedRows {
  const size = storedBlock(format);
  const [inRow, padded] = [columns / BLOCK, strideOf(columns) / BLOCK];
  const rows = bytes.length / size / inRow;
  const values = format === 'q8' ? new Int8Array(rows * padded * 32) : new Uint8Array(rows * padded * 16).fill(0x88);
  const scales = new Uint16Array(rows * padded);
  const take = format === 'q8' ? takeQ8 : takeQ4;
  for (let b = 0; b < rows * inRow; b++) {
    const block = inRow === padded ? b : Math.floor(b / inRow) * padded + (b % inRow);
    scales[block] = bytes[b * size]! | (bytes[b * size + 1]! << 8);
    take(bytes, b * size + 2, values, block);
  }
  return { values, scales };
}

function takeQ8(bytes: Uint8Array, from: number, values: Int8Array | Uint8Array, block: number): void {
  for (let i = 0; i < BLOCK; i++) values[block * BLOCK + i] = bytes[from + i]!;
}

/** Byte j of Q4_0 holds weights j and j + 16. */
function takeQ4(bytes: Uint8Array, from: number, values: Int8Array | Uint8Array, block: number): void {
  for (let i = 0; i < 8; i++) {
    const at = from + (i & 3) + (i & 4) * 2;
    const [first, second] = [bytes[at]!, bytes[at + 4]!];
    values[block * 16 + i] = (first & 15) | ((second & 15) << 4);
    values[block * 16 + 8 + i] = (first >> 4) | (second & 0xf0);
  }
}

function packQ8(weights: Float32Array): PackedRows {
  const half = halfTable();
  const values = new Int8Array(weights.length);
  const scales = new Uint16Array(weights.length / BLOCK);
  for (let b = 0; b < scales.length; b++) {
    const [start, end] = [b * BLOCK, (b + 1) * BLOCK];
    let max = 0;
    for (let i = start; i < end; i++) {
      const magnitude = Math.abs(weights[i]!);
      if (magnitude > max) max = magnitude;
    }
    scales[b] = halfFromFloat(max / 127);
    // Divide by the scale as stored, so that its rounding costs nothing.
    const scale = half[scales[b]!]!;
    if (scale === 0) continue;
    const inverse = 1 / scale;
    for (let i = start; i < end; i++) {
      const rounded = ((weights[i]! * inverse + 128.5) | 0) - 128;
      values[i] = rounded < -127 ? -127 : rounded > 127 ? 127 : rounded;
    }
  }
  return { values, scales };
}

function packQ4(weights: Float32Array): PackedRows {
  const half = halfTable();
  const values = new Uint8Array(weights.length / 2).fill(0x88);
  const scales = new Uint16Array(weights.length / BLOCK);
  for (let b = 0; b < scales.length; b++) {
    const start = b * BLOCK;
    scales[b] = halfFromFloat(scaleQ4(weights, start));
    const scale = half[scales[b]!]!;
    if (scale === 0) continue;
    const inverse = 1 / scale;
    for (let i = start; i < start + BLOCK; i++) {
      const nibble = nibbleQ4(weights[i]! * inverse);
      const byte = (i >> 3) * 4 + (i & 3);
      values[byte] = i & 4 ? (values[byte]! & 0x0f) | (nibble << 4) : (values[byte]! & 0xf0) | nibble;
    }
  }
  return { values, scales };
}

/** Of a weight in steps of its scale; a scale so small that a half rounds it by much leaves weights beyond both ends. */
const nibbleQ4 = (steps: number): number => {
  const nibble = (steps + 8.5) | 0;
  return nibble > 15 ? 15 : nibble < 0 ? 0 : nibble;
};

/** Steps that the largest weight of a block may make; -8, nibble 0, is the one value that has no opposite. */
const largestSteps = [-8, 7, -7, -8.6, -7.6];

/**
 * The scale of 32 weights w in q4: of five ways to round them to integers q, the one whose least squares fit, which is
 * the scale w q / q q, leaves the smallest error, w w - (w q)^2 / q q. Perplexity rises less than with llama.cpp's
 * largest / -8 (docs/quantisation.md). A block that is in q4 already has no error in one of the first three.
 */
function scaleQ4(weights: Float32Array, start: number): number {
  const end = start + BLOCK;
  let max = 0;
  for (let i = start; i < end; i++) if (Math.abs(weights[i]!) > Math.abs(max)) max = weights[i]!;
  if (max === 0) return 0;
  let best = 0;
  let scale = 0;
  for (const largest of largestSteps) {
    const inverse = largest / max;
    let products = 0;
    let squares = 0;
    for (let i = start; i < end; i++) {
      const weight = weights[i]!;
      const q = nibbleQ4(weight * inverse) - 8;
      products += weight * q;
      squares += q * q;
    }
    if (products * products > best * squares) {
      best = (products * products) / squares;
      scale = products / squares;
    }
  }
  return scale;
}
