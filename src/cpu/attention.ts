import type { Row } from '../plan/backend.ts';

/** Sizes of attention; caches are [slots, context, nHead, headDim], one pair a layer. */
export interface AttentionShape {
  nHead: number;
  headDim: number;
  context: number;
}

/** Writes keys or values [rows, nHead, headDim] to the cache at each row's slot and position. */
export function cacheAppend(
  values: Float32Array,
  rows: readonly Row[],
  shape: AttentionShape,
  cache: Float32Array,
): void {
  const width = shape.nHead * shape.headDim;
  rows.forEach(({ slot, position }, r) => {
    cache.set(values.subarray(r * width, (r + 1) * width), (slot * shape.context + position) * width);
  });
}

/** output [nHead, rows, keys] = q · k * scale for keys 0 ..= position, -Infinity beyond (the causal mask) */
export function attentionScores(
  q: Float32Array,
  cache: Float32Array,
  rows: readonly Row[],
  shape: AttentionShape,
  scale: number,
  keys: number,
  output: Float32Array,
): void {
  const { nHead, headDim, context } = shape;
  const width = nHead * headDim;
  for (let head = 0; head < nHead; head++) {
    rows.forEach(({ slot, position }, r) => {
      const out = (head * rows.length + r) * keys;
      const from = r * width + head * headDim;
      for (let key = 0; key < keys; key++) {
        if (key > position) {
          output[out + key] = Number.NEGATIVE_INFINITY;
          continue;
        }
        const at = (slot * context + key) * width + head * headDim;
        let sum = 0;
        for (let i = 0; i < headDim; i++) sum += q[from + i]! * cache[at + i]!;
        output[out + key] = sum * scale;
      }
    });
  }
}

/** output [rows, nHead, headDim] = Σ over keys of pattern [nHead, rows, keys] · v */
export function attentionMix(
  pattern: Float32Array,
  cache: Float32Array,
  rows: readonly Row[],
  shape: AttentionShape,
  keys: number,
  output: Float32Array,
): void {
  const { nHead, headDim, context } = shape;
  const width = nHead * headDim;
  const sums = new Float64Array(headDim);
  for (let head = 0; head < nHead; head++) {
    rows.forEach(({ slot, position }, r) => {
      sums.fill(0);
      const from = (head * rows.length + r) * keys;
      for (let key = 0; key <= position; key++) {
        const weight = pattern[from + key]!;
        const at = (slot * context + key) * width + head * headDim;
        for (let i = 0; i < headDim; i++) sums[i]! += weight * cache[at + i]!;
      }
      output.set(sums, r * width + head * headDim);
    });
  }
}
