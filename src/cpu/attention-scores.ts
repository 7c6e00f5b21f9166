import type { KeyCache, Places } from './key-cache.ts';

/** What is added to a score, by the distance of a key from the row's own place: weight [nHead, 2 d + 1]. */
interface DistanceBias {
  values: Float32Array;
  stride: number;
  columns: number;
}

/** What scores are made with; `window`: the most of the last keys that a row sees. */
interface ScoresOf {
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
