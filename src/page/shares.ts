import type { TracedTensor } from '../index.ts';

/** What is read off tensors and rows of numbers, in one place for the whole page. */

/** Row `at` of a tensor [rows, ...]. */
export function rowOf({ data, shape }: TracedTensor, at: number): Float32Array {
  const width = data.length / shape[0]!;
  return data.subarray(at * width, (at + 1) * width);
}

/** What head `of` sees from token `at`, of a pattern [nHead, tokens, keys]: the keys up to the token itself. */
export function patternRow({ data, shape }: TracedTensor, of: number, at: number): Float32Array {
  const start = (of * shape[1]! + at) * shape[2]!;
  return data.subarray(start, start + at + 1);
}

/** Softmax, [n], in float64. */
export function softmax(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  for (let i = 0; i < values.length; i++) values[i] = Math.exp(values[i]! - most);
  const total = values.reduce((a, b) => a + b, 0);
  return values.map((value) => value / total);
}

/** One entry of that. */
export function shareOf(logits: Float32Array, id: number): number {
  return 1 / logits.reduce((sum, logit) => sum + Math.exp(logit - logits[id]!), 0);
}

/** 1 for the largest. */
export function rankOf(logits: Float32Array, id: number): number {
  return 1 + logits.reduce((above, logit) => above + (logit > logits[id]! ? 1 : 0), 0);
}

/** Places of the `count` largest numbers, the largest first; of equal ones the first. */
export function largest(values: Float32Array | Float64Array, count: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === count && values[i]! <= values[best[count - 1]!]!) continue;
    const place = best.findIndex((other) => values[other]! < values[i]!);
    best.splice(place < 0 ? best.length : place, 0, i);
    best.length = Math.min(best.length, count);
  }
  return best;
}

/** As LayerNorm has them: the variance over n, not n − 1. Not centred, the mean counts as 0. */
export function momentsOf(row: Float32Array, centred = true): { mean: number; variance: number } {
  const mean = centred ? row.reduce((sum, x) => sum + x, 0) / row.length : 0;
  return { mean, variance: row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length };
}

/** The L2 norm. */
export function lengthOf(row: Float32Array): number {
  return Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
}

/** The largest magnitude of some rows; 0 for none. What is not finite does not count. */
export function magnitudeOf(...rows: readonly (Float32Array | undefined)[]): number {
  let most = 0;
  for (const row of rows)
    for (const value of row ?? []) if (Math.abs(value) < Infinity) most = Math.max(most, Math.abs(value));
  return most;
}
