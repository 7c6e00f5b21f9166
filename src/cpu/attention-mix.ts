import type { KeyCache, Places } from './key-cache.ts';

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
