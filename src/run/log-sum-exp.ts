/** 2 to the power of -i / 256, and of -i. */
const roots = Float64Array.from({ length: 256 }, (_, i) => 2 ** (-i / 256));
const powers = Float64Array.from({ length: 1024 }, (_, i) => 2 ** -i);

/**
 * log Σ exp(logits): a logit less this is its token's log-probability. Of a vocabulary of 58,000 that is most of what choosing a token
 * takes, so exp is made here: to 1e-13 of itself, from tables and four powers of what is left.
 * @returns NaN where a logit is NaN or Infinity, or all are -Infinity
 */
export function logSumExp(logits: ArrayLike<number>): number {
  const { length } = logits;
  let max = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < length; id++) max = logits[id]! > max ? logits[id]! : max;
  let sum = 0;
  for (let id = 0; id < length; id++) {
    const x = logits[id]! - max;
    if (x < -700) continue;
    const steps = (x * (-256 / Math.LN2)) | 0;
    const r = x + steps * (Math.LN2 / 256);
    const r2 = r * r;
    sum += powers[steps >> 8]! * roots[steps & 255]! * (1 + r + r2 * (1 / 2 + r * (1 / 6) + r2 * (1 / 24)));
  }
  return max + Math.log(sum);
}
