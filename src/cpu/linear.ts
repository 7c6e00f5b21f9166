import { unpackRow } from '../plan/formats.ts';
import type { LowRank, StepOf } from '../plan/plan.ts';
import { dot } from './each-row.ts';
import { type Run, unfused, vector } from './run.ts';

/** Output rows computed together: each value of x loaded serves four products. */
const TILE = 4;

/**
 * outputs [rows, out] = input [rows, in] weightᵀ + bias; weight [out, in]. The columns go to the outputs side by side, which may
 * be of different widths. Weights are walked once, four rows at a time, which stay in the L1 cache for all of the input.
 */
export function linear(step: StepOf<'linear'>, run: Run): void {
  if (step.norm || step.activation || step.residual || step.gate || step.select || step.cache) return unfused(step);
  const [x, weight, outputs] = [run.tensor(step.input), run.weight(step.weight), step.outputs.map(run.tensor)];
  const bias = step.bias === undefined ? undefined : vector(step.bias, run);
  const more = step.lowRank ? added(step.lowRank, run) : () => 0;
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
        outputs[o]![r * widths[o]! + column] = sums[n]! + more(r, first + n) + (bias ? bias[first + n]! : 0);
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

/** What an adapter adds to a row's sum for a column of the layer (see plan.ts). */
function added({ input, weight, rank, parts }: LowRank, run: Run): (row: number, column: number) => number {
  const [x, up] = [run.tensor(input), vector(weight, run)];
  return (row, column) => {
    let part = 0;
    for (let end = parts[0]!; column >= end; end += parts[part]!) part++;
    return dot(rank, x, (row * parts.length + part) * rank, up, column * rank);
  };
}
