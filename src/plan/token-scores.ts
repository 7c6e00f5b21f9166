/** How a distribution takes an id. In nats. */
export interface TokenScore {
  /** log-softmax of the logits at the id. */
  logprob: number;
  /** Its place by probability, 1 the most likely; the lower id first among equals. */
  rank: number;
  entropy: number;
}

/** The score of `id` under one row of logits. */
export function tokenScore(logits: Float32Array, id: number): TokenScore {
  const logit = logits[id]!;
  let max = Number.NEGATIVE_INFINITY;
  let rank = 1;
  for (let other = 0; other < logits.length; other++) {
    const value = logits[other]!;
    if (value > max) max = value;
    if (value > logit || (value === logit && other < id)) rank++;
  }
  let sum = 0;
  let moment = 0;
  for (let other = 0; other < logits.length; other++) {
    const above = logits[other]! - max;
    const weight = Math.exp(above);
    sum += weight;
    if (weight > 0) moment += weight * above;
  }
  return { logprob: logit - max - Math.log(sum), rank, entropy: Math.log(sum) - moment / sum };
}

/** `tokenScore` of each row of logits [targets, vocabulary]. */
export function tokenScores(logits: Float32Array, targets: readonly number[]): TokenScore[] {
  const vocabulary = logits.length / targets.length;
  return targets.map((id, r) => tokenScore(logits.subarray(r * vocabulary, (r + 1) * vocabulary), id));
}
