import type { TracedTensor } from '../../../../index.ts';
import type { Reading } from '../../reading.ts';

/** How scores become attention. */
export const stages = ['raw', 'scaled', 'masked', 'pattern'] as const;
export type Stage = (typeof stages)[number];

/** The tensors of one block's attention. */
export interface AttentionTensors {
  /** [tokens, nHead, headDim], turned by their positions where the model turns them; heads may share keys. */
  q: TracedTensor;
  k: TracedTensor;
  /** [nHead, tokens, tokens], scaled and masked. */
  scores: TracedTensor;
  pattern: TracedTensor;
}

/** Whether queries and keys are turned by their positions (rotary embeddings) before they are multiplied. */
export const turnsHeads = ({ model }: Pick<Reading, 'model'>): boolean => 'rotary' in model.config;

/** What a head's q · k is multiplied by, by the score that it gave: that of the token with the largest product with itself. */
export function scoreScale({ q, k, scores }: Omit<AttentionTensors, 'pattern'>, head: number): number {
  const [tokens = 0] = q.shape;
  let [product, scale] = [0, 1];
  for (let row = 0; row < tokens; row++) {
    const own = dot(q, row, k, row, head);
    if (Math.abs(own) <= Math.abs(product)) continue;
    product = own;
    scale = scores.data[(head * tokens + row) * tokens + row]! / own;
  }
  return scale;
}

/** Products between two rests, so that no task of the page is long: some 10 ms of them. */
const atOnce = 4_000_000;

/**
 * A head's matrix [tokens, tokens] at a stage. What the model computed is taken from it; the products right of the
 * diagonal, which it skips, are made of its q and k.
 */
export async function scoresAt(stage: Stage, { q, k, scores, pattern }: AttentionTensors, head: number, scale: number) {
  const [tokens = 0, , headDim = 0] = q.shape;
  const size = tokens * tokens;
  const of = (tensor: TracedTensor) => tensor.data.subarray(head * size, (head + 1) * size);
  if (stage === 'pattern') return of(pattern);
  if (stage === 'masked') return of(scores);
  const factor = stage === 'raw' ? 1 / scale : 1;
  const result = of(scores).map((score) => score * factor);
  const rowsAtOnce = Math.ceil(atOnce / (tokens * headDim));
  for (let row = 0; row < tokens; row++) {
    for (let key = row + 1; key < tokens; key++) {
      result[row * tokens + key] = dot(q, row, k, key, head) * scale * factor;
    }
    if (row % rowsAtOnce === rowsAtOnce - 1) await new Promise((rested) => setTimeout(rested));
  }
  return result;
}

/** What the end of the colours stands for: of a pattern a weight that few are above, since a first token's 1 says nothing. */
export function limitOf(stage: Stage, data: Float32Array): number {
  if (stage !== 'pattern')
    return data.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
  const weights = data.filter((weight) => weight > 0).sort();
  return weights[Math.floor(weights.length * 0.99)] ?? 1;
}

function dot(q: TracedTensor, row: number, k: TracedTensor, key: number, head: number): number {
  const [, nHead = 0, headDim = 0] = q.shape;
  const a = (row * nHead + head) * headDim;
  const [, keyHeads = 0] = k.shape;
  const b = (key * keyHeads + Math.floor((head * keyHeads) / nHead)) * headDim;
  let sum = 0;
  for (let d = 0; d < headDim; d++) sum += q.data[a + d]! * k.data[b + d]!;
  return sum;
}
