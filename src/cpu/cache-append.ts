import type { Places } from './key-cache.ts';

/** Writes keys or values [rows, nHead, headDim] to each row's place. */
export function cacheAppend(values: Float32Array, rows: readonly Places[], width: number, cache: Float32Array): void {
  rows.forEach(({ place }, r) => {
    cache.set(values.subarray(r * width, (r + 1) * width), place * width);
  });
}
