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
