import type { TracedTensor } from '../../../index.ts';
import type { ModelConfig } from '../../../model/config.ts';

/** How scores become attention. */
export const stages = ['raw', 'scaled', 'masked', 'pattern'] as const;
export type Stage = (typeof stages)[number];

/** The tensors of one block's attention. */
export interface AttentionTensors {
  /** [tokens, nHead, headDim] */
  q: TracedTensor;
  k: TracedTensor;
  /** [nHead, tokens, tokens], scaled and masked. */
  scores: TracedTensor;
  pattern: TracedTensor;
}

/** What q · k is multiplied by, as `gpt2Plan` has it. */
export function scoreScale(config: ModelConfig, layer: number): number {
  const { nEmbd, nHead, scaleAttnWeights, scaleAttnByInverseLayerIdx } = config;
  return (scaleAttnWeights ? 1 / Math.sqrt(nEmbd / nHead) : 1) / (scaleAttnByInverseLayerIdx ? layer + 1 : 1);
}

/**
 * A head's matrix [tokens, tokens] at a stage. What the model computed is taken from it; the products right of the
 * diagonal, which it skips, are made of its q and k.
 */
export function scoresAt(stage: Stage, { q, k, scores, pattern }: AttentionTensors, head: number, scale: number) {
  const tokens = q.shape[0]!;
  const size = tokens * tokens;
  const of = (tensor: TracedTensor) => tensor.data.subarray(head * size, (head + 1) * size);
  if (stage === 'pattern') return of(pattern);
  if (stage === 'masked') return of(scores);
  const factor = stage === 'raw' ? 1 / scale : 1;
  const result = of(scores).map((score) => score * factor);
  for (let row = 0; row < tokens; row++) {
    for (let key = row + 1; key < tokens; key++) {
      result[row * tokens + key] = dot(q, row, k, key, head) * scale * factor;
    }
  }
  return result;
}

function dot(q: TracedTensor, row: number, k: TracedTensor, key: number, head: number): number {
  const [, nHead = 0, headDim = 0] = q.shape;
  const a = (row * nHead + head) * headDim;
  const b = (key * nHead + head) * headDim;
  let sum = 0;
  for (let d = 0; d < headDim; d++) sum += q.data[a + d]! * k.data[b + d]!;
  return sum;
}
