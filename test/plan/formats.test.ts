import { describe, expect, test } from 'vitest';
import { packRows, unpackRow } from '../../src/plan/formats.ts';
import { halfFromFloat, halfTable } from '../../src/plan/half.ts';
import { randomValues } from '../ops/mini-plan.ts';

/** Values of one row of 64 as a format keeps them. */
function through(format: 'q8' | 'q4', values: Float32Array): Float32Array {
  const out = new Float32Array(values.length);
  unpackRow(format, packRows(format, values, values.length), 0, out);
  return out.map((value) => value + 0); // no -0
}

/** 64 weights of whole steps, of which the first of each block is the largest. */
function steps(seed: number, scale: number, largest: number, range: number): Float32Array {
  const random = randomValues(64, seed);
  const low = Math.max(-range, -Math.abs(largest));
  return Float32Array.from(random, (value, i) => {
    const step = Math.trunc(value * 997) % (range + 1);
    return scale * (i % 32 === 0 ? largest : Math.max(low, step)) + 0; // no -0
  });
}

const spread = (values: Float32Array, others: Float32Array) =>
  Math.sqrt(values.reduce((sum, value, i) => sum + (value - others[i]!) ** 2, 0) / values.length);

describe('what a GGUF file has in Q8_0 or Q4_0 is kept exactly', () => {
  // Scales down to the smallest halves that have all their bits.
  const scales = [1, 0.1, 0.0123, 3e-4, 6.2e-5].map((scale) => halfTable()[halfFromFloat(scale)]!);

  test.each(scales)('scale %d', (scale) => {
    for (let seed = 1; seed <= 50; seed++) {
      for (const sign of [1, -1]) {
        const q8 = steps(seed, scale, 127 * sign, 126);
        expect([...through('q8', q8)]).toEqual([...q8]);
        for (const [largest, range] of [
          [-8, 7],
          [7, 6],
          [-7, 6],
        ] as const) {
          const q4 = steps(seed, scale * sign, largest, range);
          expect([...through('q4', q4)]).toEqual([...q4]);
        }
      }
    }
  });
});

test("q4 is nearer to the weights than the largest / -8, llama.cpp's rule, makes it", () => {
  let [ours, theirs] = [0, 0];
  for (let seed = 1; seed <= 100; seed++) {
    const weights = randomValues(64, seed);
    const plain = weights.map((_, i) => {
      const block = weights.subarray(i & 32, (i & 32) + 32);
      const scale = block.reduce((max, value) => (Math.abs(value) > Math.abs(max) ? value : max), 0) / -8;
      return scale * Math.max(-8, Math.min(7, Math.round(weights[i]! / scale)));
    });
    ours += spread(through('q4', weights), weights);
    theirs += spread(plain, weights);
  }
  expect(ours).toBeLessThan(0.97 * theirs);
});

test('zeros, and weights too small for a scale', () => {
  for (const value of [0, 1e-30, -1e-42]) {
    for (const format of ['q8', 'q4'] as const) {
      expect([...through(format, new Float32Array(64).fill(value))].map(Math.abs)).toEqual(Array(64).fill(0));
    }
  }
});
