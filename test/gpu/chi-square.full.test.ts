import { expect, test } from 'vitest';
import { distribution } from '../../src/run/sampling.ts';
import { randomValues } from '../ops/mini-plan.ts';
import { fixedLogits, off } from './fixed-logits.ts';

test('100,000 draws fit the distribution (chi-square)', async () => {
  const logits = randomValues(24, 3, 3);
  const settings = { temperature: 0.9, minP: 0.002 };
  const probs = distribution(logits, settings, { prompt: [], generated: [] });
  const program = await fixedLogits(logits);
  const counts = new Float64Array(24);
  const draws = 100_000;
  const rows = [{ token: 0, position: 0, slot: 0 }];
  const request = {
    rows,
    prompt: [],
    generated: [],
    limit: draws,
    settings: { ...off, ...settings, seed: [17, 1] as const },
  };
  for await (const some of program.decode!({ ...request, submitMs: 1e6 })) for (const { id } of some) counts[id]!++;
  let statistic = 0;
  let kept = 0;
  for (const [id, p] of probs.entries()) {
    if (p === 0) expect(counts[id]).toBe(0);
    else {
      statistic += (counts[id]! - draws * p) ** 2 / (draws * p);
      kept++;
    }
  }
  expect(counts.reduce((a, b) => a + b)).toBe(draws);
  // Mean k - 1, variance 2 (k - 1): five standard deviations above, for these fixed seeds.
  expect(statistic).toBeLessThan(kept - 1 + 5 * Math.sqrt(2 * (kept - 1)));
  program.dispose();
});
