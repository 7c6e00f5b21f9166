import { expect, test } from 'vitest';
import { PlanBuilder } from '../../src/plan/builder.ts';
import { canariesOf } from '../../src/run/canary/canary.ts';

test('where a model has one output, as regressions do, layers and their biases stay as wide as each other', () => {
  const b = new PlanBuilder();
  const x = b.embed('x', { weight: b.matrix('words', 50, 32), by: 'token' });
  const [hidden] = b.linear(x, b.layer('dense', 32, 72), ['hidden', 72]); // wider than a canary at the vocabulary
  b.linear(b.select('selected', hidden!), b.layer('classifier', 72, 1), ['logits', 1]);
  const canaries = canariesOf(b.plan({ nCtx: 8, vocabSize: 1 }), () => 'f32', 5);
  expect(canaries.length).toBeGreaterThan(0);
  for (const { steps, weights } of canaries) {
    const specOf = (name: string) => weights.find(({ spec }) => spec.name === name)!.spec;
    for (const step of steps) {
      if (step.op === 'linear' && step.bias) expect(specOf(step.bias).columns).toBe(specOf(step.weight).rows);
    }
  }
});
