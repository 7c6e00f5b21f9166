import { expect, test } from 'vitest';
import { logSumExp } from '../../src/run/log-sum-exp.ts';
import { randomValues } from '../ops/mini-plan.ts';

function byMathExp(logits: Float32Array): number {
  const max = Math.max(...logits);
  return max + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0));
}

test.each([0.001, 1, 30, 600])('logits up to %f are summed as Math.exp does', (spread) => {
  const logits = randomValues(5000, 1, spread);
  expect(Math.abs(logSumExp(logits) - byMathExp(logits))).toBeLessThan(1e-12);
});

test.each([
  [[3], 3],
  [[Number.NEGATIVE_INFINITY, 3], 3],
  [[0, -1e30], 0],
  [[-5e4, -5e4], -5e4 + Math.LN2],
  [[Number.NaN, 1], Number.NaN],
  [[1, Number.NaN], Number.NaN],
  [[Number.POSITIVE_INFINITY, 1], Number.NaN],
  [[Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY], Number.NaN],
])('%j: %d', (logits, expected) => {
  const found = logSumExp(logits);
  if (Number.isNaN(expected)) expect(found).toBeNaN();
  else expect(found).toBeCloseTo(expected, 10);
});
