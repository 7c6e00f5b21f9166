import { expect, test } from 'vitest';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { allRules, fuse, type Rule } from '../../src/plan/fuse.ts';

/** How often rules are asked while a plan of so many layers is fused, and how many steps are left. */
function fused(nLayer: number): { asked: number; steps: number } {
  const config = { nLayer, nHead: 2, nEmbd: 8, nInner: 16, nCtx: 32, vocabSize: 20, activation: 'gelu' as const };
  const plan = gpt2Plan({ ...config, tieWordEmbeddings: true } as Parameters<typeof gpt2Plan>[0]);
  let asked = 0;
  const counted = allRules.map((rule): Rule => {
    return (...given) => {
      asked++;
      return rule(...given);
    };
  });
  return { steps: fuse(plan.steps, counted, new Set(['logits'])).length, asked };
}

test('a plan of four times the layers takes four times as long to fuse, not sixteen', () => {
  const [short, long] = [fused(8), fused(32)];
  expect(short.steps).toBe(8 * 5 + 2);
  expect(long.steps).toBe(32 * 5 + 2);
  expect(long.asked / short.asked).toBeLessThan(5);
});
