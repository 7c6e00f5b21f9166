import { newTask } from '../plan/task.ts';
import type { Raster } from './raster.ts';

/** A filter of PIL's: its weight at a distance, which is 0 beyond the support. Distances are in pixels of the smaller image. */
interface Filter {
  support: number;
  weight(x: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
/** Hamming's constants are floats in PIL. */
const [hamming0, hamming1] = [Math.fround(0.54), Math.fround(0.46)];

/** Pillow's filters, src/libImaging/Resample.c. `nearest` has none. */
const filters = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (hamming0 + hamming1 * Math.cos(x * Math.PI))),
  },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} satisfies Record<string, Filter>;

/** How pixels of the new size are made of those of the old. */
export type Resample = 'nearest' | keyof typeof filters;

/** Keys' cubic convolution with a = -0.5. */
function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
}

/** Weights are whole numbers, 1 is `1 << precision`: 32 bits less 8 of the value and 2 for what a filter overshoots. */
const precision = 22;
const half = 1 << (precision - 1);

/** What each new pixel of an axis is a sum of: old pixels from `first` on, by `weights` [pixels, width], of which `counts` are used. */
interface Taps {
  first: Int32Array;
  counts: Int32Array;
  weights: Int32Array;
  width: number;
}

/** Part of an axis: new pixels [begin, end) of `target`, which `size` old ones become. */
interface Axis {
  size: number;
  target: number;
  begin: number;
  end: number;
}

/** A filter is widened by the scale where the image shrinks (antialias), and cut at the image's edges. */
function tapsOf({ size, target, begin, end }: Axis, { support, weight }: Filter): Taps {
  const scale = size / target;
  const widened = Math.max(scale, 1);
  const reach = support * widened;
  const width = Math.ceil(reach) * 2 + 1;
  const count = end - begin;
  const taps = {
    first: new Int32Array(count),
    counts: new Int32Array(count),
    weights: new Int32Array(count * width),
    width,
  };
  const exact = new Float64Array(width);
  for (let i = 0; i < count; i++) {
    const centre = (begin + i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - reach + 0.5));
    const used = Math.min(size, Math.trunc(centre + reach + 0.5)) - from;
    let sum = 0;
    for (let j = 0; j < used; j++) sum += exact[j] = weight((from + j - centre + 0.5) * (1 / widened));
    for (let j = 0; j < used; j++) {
      const value = (sum === 0 ? exact[j]! : exact[j]! / sum) * (1 << precision);
      taps.weights[i * width + j] = value < 0 ? value - 0.5 : value + 0.5; // an Int32Array cuts towards zero
    }
    taps.first[i] = from;
    taps.counts[i] = used;
  }
  return taps;
}

/** One old pixel for each. PIL adds the scale up from pixel to pixel, so its rounding errors are kept. */
function nearestTaps({ size, target, begin, end }: Axis): Taps {
  const scale = size / target;
  const first = new Int32Array(end - begin);
  let at = scale * 0.5;
  for (let i = 0; i < end; i++) {
    if (i >= begin) first[i - begin] = Math.min(size - 1, Math.trunc(at));
    at += scale;
  }
  return { first, counts: first.map(() => 1), weights: first.map(() => 1 << precision), width: 1 };
}

function clip(sum: number): number {
  const value = sum >> precision;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Rows of a raster that are held at once, in bytes. */
const blockBytes = 1 << 22;

/** The part of a resized image that is wanted. */
export interface Target {
  /** Size of the whole resized image. */
  width: number;
  height: number;
  /** The part of it: [left, right) x [top, bottom). */
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/**
 * Resizes as PIL's `Image.resize` does, byte for byte: horizontally first, then vertically, with weights of 22 bits and
 * bytes between the passes. Only what the wanted part needs is computed, and a block of the raster's rows is held at a time.
 * @param bands the raster's colours: 3, or 1 for grey, or for the luma of a colour image
 * @returns bytes [bottom - top, right - left, bands]
 */
export async function resize(
  raster: Raster,
  bands: 1 | 3,
  target: Target,
  resample: Resample,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const taps = (axis: Axis) =>
    resample === 'nearest' || axis.size === axis.target ? nearestTaps(axis) : tapsOf(axis, filters[resample]);
  const across = taps({ size: raster.width, target: target.width, begin: target.left, end: target.right });
  const down = taps({ size: raster.height, target: target.height, begin: target.top, end: target.bottom });
  const columns = target.right - target.left;
  const top = down.first.reduce((least, row) => Math.min(least, row), raster.height);
  const bottom = down.first.reduce((most, row, i) => Math.max(most, row + down.counts[i]!), 0);
  const middle = new Uint8Array((bottom - top) * columns * bands); // [rows of the raster, columns, bands]
  const block = Math.max(1, Math.floor(blockBytes / (raster.width * raster.channels)));
  for (let row = top; row < bottom; row += block) {
    if (row > top) await newTask(); // a page goes on, and an abort is heard
    signal?.throwIfAborted();
    const count = Math.min(block, bottom - row);
    const rows = raster.rows(row, count);
    const isLuma = bands === 1 && raster.channels > 1;
    const values = isLuma ? luma(rows, raster.channels) : rows;
    const stride = isLuma ? 1 : raster.channels;
    const out = middle.subarray((row - top) * columns * bands);
    for (let i = 0; i < count; i++) {
      const line = values.subarray(i * raster.width * stride, (i + 1) * raster.width * stride);
      resizeRow(line, stride, across, bands, out.subarray(i * columns * bands));
    }
  }
  return resizeColumns(middle, top, columns * bands, down);
}

/** A row [width, stride] into `out` [new width, bands], with one band or three. */
function resizeRow(
  line: Uint8Array | Uint8ClampedArray,
  stride: number,
  { first, counts, weights, width }: Taps,
  bands: number,
  out: Uint8Array,
): void {
  for (let i = 0; i < first.length; i++) {
    const end = i * width + counts[i]!;
    let at = first[i]! * stride;
    if (bands === 1) {
      let sum = half;
      for (let j = i * width; j < end; j++, at += stride) sum = (sum + Math.imul(line[at]!, weights[j]!)) | 0;
      out[i] = clip(sum);
      continue;
    }
    let red = half;
    let green = half;
    let blue = half;
    for (let j = i * width; j < end; j++, at += stride) {
      const weight = weights[j]!;
      red = (red + Math.imul(line[at]!, weight)) | 0;
      green = (green + Math.imul(line[at + 1]!, weight)) | 0;
      blue = (blue + Math.imul(line[at + 2]!, weight)) | 0;
    }
    out[i * 3] = clip(red);
    out[i * 3 + 1] = clip(green);
    out[i * 3 + 2] = clip(blue);
  }
}

/** Rows of `middle` from the raster's row `top` on, each of `length` bytes, into the new rows. */
function resizeColumns(middle: Uint8Array, top: number, length: number, { first, counts, weights, width }: Taps) {
  const out = new Uint8Array(first.length * length);
  const sums = new Int32Array(length);
  for (let i = 0; i < first.length; i++) {
    sums.fill(half);
    for (let j = 0; j < counts[i]!; j++) {
      const weight = weights[i * width + j]!;
      const from = (first[i]! - top + j) * length;
      for (let k = 0; k < length; k++) sums[k] = (sums[k]! + Math.imul(middle[from + k]!, weight)) | 0;
    }
    for (let k = 0; k < length; k++) out[i * length + k] = clip(sums[k]!);
  }
  return out;
}

/** PIL's convert('L'): ITU-R 601-2 luma, with 16 bits. */
function luma(rows: Uint8Array | Uint8ClampedArray, channels: number): Uint8Array {
  const out = new Uint8Array(rows.length / channels);
  for (let i = 0, at = 0; i < out.length; i++, at += channels) {
    out[i] = (rows[at]! * 19595 + rows[at + 1]! * 38470 + rows[at + 2]! * 7471 + 0x8000) >> 16;
  }
  return out;
}
