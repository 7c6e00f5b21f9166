/** Keys and values of a source, each [places, nHead, headDim]. */
export interface KeyCache {
  nHead: number;
  headDim: number;
  k: Float32Array;
  v: Float32Array;
}

/** The keys of a source that a row sees: places [first, first + count). `place` is that of the row's own. */
export interface Places {
  place: number;
  first: number;
  count: number;
}

/** Writes keys or values [rows, nHead, headDim] to each row's place. */
export function cacheAppend(values: Float32Array, rows: readonly Places[], width: number, cache: Float32Array): void {
  rows.forEach(({ place }, r) => {
    cache.set(values.subarray(r * width, (r + 1) * width), place * width);
  });
}

/** What is added to a score, by the distance of a key from the row's own place: weight [nHead, 2 d + 1]. */
export interface DistanceBias {
  values: Float32Array;
  stride: number;
  columns: number;
}

/** What scores are made with; `window`: the most of the last keys that a row sees. */
export interface ScoresOf {
  nHead: number;
  scale: number;
  bias: DistanceBias | undefined;
  window: number | undefined;
}

/** output [nHead, rows, keys] = q · k * scale + bias for the keys that each row sees, -Infinity beyond */
export function attentionScores(
  q: Float32Array,
  { nHead: keyHeads, headDim, k }: KeyCache,
  rows: readonly Places[],
  { nHead, scale, bias, window = Number.POSITIVE_INFINITY }: ScoresOf,
  keys: number,
  output: Float32Array,
): void {
  const group = nHead / keyHeads;
  for (let head = 0; head < nHead; head++) {
    const keyHead = Math.floor(head / group);
    rows.forEach(({ place, first, count }, r) => {
      const out = (head * rows.length + r) * keys;
      const from = (r * nHead + head) * headDim;
      for (let key = 0; key < keys; key++) {
        if (key >= count || key < count - window) {
          output[out + key] = Number.NEGATIVE_INFINITY;
          continue;
        }
        const at = ((first + key) * keyHeads + keyHead) * headDim;
        let sum = 0;
        for (let i = 0; i < headDim; i++) sum += q[from + i]! * k[at + i]!;
        output[out + key] = sum * scale + (bias ? biasOf(bias, head, first + key - place) : 0);
      }
    });
  }
}

function biasOf({ values, stride, columns }: DistanceBias, head: number, distance: number): number {
  const most = (columns - 1) / 2;
  return values[head * stride + most + Math.max(-most, Math.min(most, distance))]!;
}

/** output [rows, nHead, headDim] = Σ over keys of pattern [nHead, rows, keys] · v */
export function attentionMix(
  pattern: Float32Array,
  { nHead: keyHeads, headDim, v }: KeyCache,
  rows: readonly Places[],
  nHead: number,
  keys: number,
  output: Float32Array,
): void {
  const sums = new Float64Array(headDim);
  for (let head = 0; head < nHead; head++) {
    const keyHead = Math.floor((head * keyHeads) / nHead);
    rows.forEach(({ first, count }, r) => {
      sums.fill(0);
      const from = (head * rows.length + r) * keys;
      for (let key = 0; key < count; key++) {
        const weight = pattern[from + key]!;
        const at = ((first + key) * keyHeads + keyHead) * headDim;
        for (let i = 0; i < headDim; i++) sums[i]! += weight * v[at + i]!;
      }
      output.set(sums, (r * nHead + head) * headDim);
    });
  }
}
