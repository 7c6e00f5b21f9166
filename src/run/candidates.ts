/** Tokens that may still be drawn, in ascending order of id; the arrays run side by side. */
export interface Candidates {
  ids: Uint32Array;
  /** Logits over the temperature, less the largest one, so that exp cannot overflow. */
  scores: Float64Array;
  /** Probabilities among these tokens: their sum is 1. */
  probs: Float64Array;
}

/** The k most likely tokens and those as likely as the k-th (k = 0: all), with probabilities at this temperature. */
export function candidatesOf(logits: ArrayLike<number>, max: number, temperature: number, topK: number): Candidates {
  let ids = new Uint32Array(logits.length);
  let count = 0;
  for (let id = 0; id < logits.length; id++) if (logits[id]! > Number.NEGATIVE_INFINITY) ids[count++] = id;
  ids = ids.subarray(0, count);
  if (topK > 0 && topK < count) {
    const key = new Float64Array(count); // a plain loop: `from` with a function costs 10 ms a token of 50,257 words
    for (let i = 0; i < count; i++) key[i] = -logits[ids[i]!]!;
    const last = largest(leading(key, undefined, topK), key);
    ids = ids.filter((_, i) => key[i]! <= last);
  }
  const scores = new Float64Array(ids.length);
  for (let i = 0; i < ids.length; i++) scores[i] = (logits[ids[i]!]! - max) / temperature;
  return { ids, scores, probs: normalised(scores.map(Math.exp)) };
}

/** The most likely tokens that together reach p; the one that crosses it stays. */
export function topP(from: Candidates, p: number): Candidates {
  const key = from.scores.map((score) => -score);
  // Reaching "more than nothing" takes one token: the best stays even for p = 0.
  return pick(from, leading(key, from.probs, Math.max(p, Number.MIN_VALUE)).sort());
}

/** Tokens at least `share` times as likely as the likeliest. */
export function minP(from: Candidates, share: number): Candidates {
  const least = share * from.probs.reduce((a, b) => Math.max(a, b));
  return keep(from, (i) => from.probs[i]! >= least);
}

/**
 * Locally typical sampling (Meister et al. 2022): tokens whose surprise is nearest to the entropy, until they reach
 * `mass`. Those as near as the last one stay too, as in Hugging Face transformers.
 */
export function typicalP(from: Candidates, mass: number): Candidates {
  const logSum = Math.log(from.scores.reduce((sum, score) => sum + Math.exp(score), 0));
  const surprise = from.scores.map((score) => logSum - score);
  const entropy = from.probs.reduce((sum, p, i) => (p > 0 ? sum + p * surprise[i]! : sum), 0);
  const key = surprise.map((value) => Math.abs(value - entropy));
  const last = largest(leading(key, from.probs, mass), key);
  return keep(from, (i) => key[i]! <= last);
}

/** The first id, in ascending order, whose cumulative probability exceeds u. */
export function draw({ ids, probs }: Candidates, u: number): number {
  let sum = 0;
  let last = 0;
  for (let i = 0; i < ids.length; i++) {
    if (probs[i] === 0) continue;
    sum += probs[i]!;
    last = i;
    if (sum > u) break;
  }
  return ids[last]!; // the last one if rounding left the sum below u
}

/**
 * Those positions of `key` that come first in ascending order (the lower position first among equals), as many as it
 * takes for their weights (1 each if undefined) to reach `target`. In no order: a quickselect, so that of 50,000
 * tokens only a few are compared more than once.
 */
export function leading(key: Float64Array, weight: Float64Array | undefined, target: number): Uint32Array {
  const order = new Uint32Array(key.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  const weightOf = (i: number) => (weight ? weight[i]! : 1);
  let low = 0; // order[.. low] is in, and weighs `sum`
  let high = order.length; // order[high ..] is out
  let sum = 0;
  while (low < high) {
    const pivot = order[(low + high) >> 1]!;
    order[(low + high) >> 1] = order[high - 1]!;
    let mid = low;
    let below = 0;
    for (let i = low; i < high - 1; i++) {
      const at = order[i]!;
      if (key[at]! > key[pivot]! || (key[at] === key[pivot] && at > pivot)) continue;
      below += weightOf(at);
      order[i] = order[mid]!;
      order[mid++] = at;
    }
    order[high - 1] = order[mid]!;
    order[mid] = pivot;
    if (sum + below >= target) high = mid;
    else {
      sum += below + weightOf(pivot);
      low = mid + 1;
      if (sum >= target) break;
    }
  }
  return order.subarray(0, low);
}

const largest = (positions: Uint32Array, key: Float64Array): number =>
  positions.reduce((max, i) => Math.max(max, key[i]!), Number.NEGATIVE_INFINITY);

const keep = (from: Candidates, keeps: (position: number) => boolean): Candidates =>
  pick(from, Uint32Array.from(from.ids.keys()).filter(keeps));

function pick({ ids, scores, probs }: Candidates, positions: Uint32Array): Candidates {
  return {
    ids: positions.map((i) => ids[i]!),
    scores: Float64Array.from(positions, (i) => scores[i]!),
    probs: normalised(Float64Array.from(positions, (i) => probs[i]!)),
  };
}

function normalised(weights: Float64Array): Float64Array {
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}
