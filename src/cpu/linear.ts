import { unpackRow } from '../plan/formats.ts';
import type { CpuWeight } from './weights.ts';

/** Output rows computed together: each value of x loaded serves four products. */
const TILE = 4;

/** What an adapter adds to a layer (see plan.ts): its input [rows, parts * rank], and up [out, rank]. */
export interface CpuLowRank {
  x: Float32Array;
  up: Float32Array;
  rank: number;
  parts: readonly number[];
}

/**
 * y [rows, out] = x [rows, in] weightᵀ + bias; weight [out, in]. The columns of y go to `outputs` side by side, which may
 * be of different widths. Weights are walked once, four rows at a time, which stay in the L1 cache for all of x.
 */
export function linear(
  x: Float32Array,
  weight: CpuWeight,
  bias: Float32Array | undefined,
  outputs: readonly Float32Array[],
  lowRank?: CpuLowRank,
): void {
  const { rows: nOut, columns: nIn } = weight.spec;
  const { stride, format, packed } = weight;
  const rows = x.length / nIn;
  if (rows === 0) return;
  const widths = outputs.map((output) => output.length / rows);
  const unpacked = new Float32Array(TILE * stride);
  const sums = new Float64Array(TILE);
  for (let first = 0; first < nOut; first += TILE) {
    const count = Math.min(TILE, nOut - first);
    const inPlace = format === 'f32' && count === TILE;
    const tile = inPlace ? (packed.values as Float32Array) : unpacked;
    for (let i = 0; i < count && !inPlace; i++) {
      unpackRow(format, packed, first + i, unpacked.subarray(i * stride, (i + 1) * stride));
    }
    for (let r = 0; r < rows; r++) {
      dot4(x, r * nIn, tile, inPlace ? first * stride : 0, stride, nIn, sums);
      for (let n = 0; n < count; n++) {
        let [o, column] = [0, first + n];
        for (; column >= widths[o]!; o++) column -= widths[o]!;
        const more = lowRank ? added(lowRank, r, first + n) : 0;
        outputs[o]![r * widths[o]! + column] = sums[n]! + more + (bias ? bias[first + n]! : 0);
      }
    }
  }
}

/** sums[i] = x[start ..] · tile[base + i * stride ..], summed in float64 so that the reference is better than what it judges. */
function dot4(
  x: Float32Array,
  start: number,
  tile: Float32Array,
  base: number,
  stride: number,
  n: number,
  sums: Float64Array,
): void {
  const base0 = base;
  const base1 = base + stride;
  const base2 = base + 2 * stride;
  const base3 = base + 3 * stride;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let k = 0; k < n; k++) {
    const value = x[start + k]!;
    s0 += value * tile[base0 + k]!;
    s1 += value * tile[base1 + k]!;
    s2 += value * tile[base2 + k]!;
    s3 += value * tile[base3 + k]!;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

/** What is added to a row's sum for a column of the layer. */
function added({ x, up, rank, parts }: CpuLowRank, row: number, column: number): number {
  let part = 0;
  for (let end = parts[0]!; column >= end; end += parts[part]!) part++;
  const from = (row * parts.length + part) * rank;
  let sum = 0;
  for (let i = 0; i < rank; i++) sum += x[from + i]! * up[column * rank + i]!;
  return sum;
}
