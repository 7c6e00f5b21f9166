import { describe, expect, test } from 'vitest';
import type { DrawSettings } from '../../src/plan/backend.ts';
import { uniform } from '../../src/run/random.ts';
import { distribution } from '../../src/run/sampling.ts';
import { expectClose } from '../close.ts';
import { readFixtureJson } from '../fixtures.ts';
import { isFull } from '../full.ts';
import { randomValues } from '../ops/mini-plan.ts';
import { drawAll, fixedLogits } from './fixed-logits.ts';

/** The id that run/sampling.ts would draw, and how near u was to taking another. */
function expectedDraw(probs: Float32Array, u: number): { id: number; margin: number } {
  let sum = 0;
  let last = 0;
  for (let id = 0; id < probs.length; id++) {
    if (probs[id] === 0) continue;
    last = id;
    if (sum + probs[id]! > u) return { id, margin: Math.min(u - sum, sum + probs[id]! - u) };
    sum += probs[id]!;
  }
  return { id: last, margin: 0 };
}

interface SamplingCase {
  name: string;
  logits: (number | null)[];
  prompt_ids: number[];
  generated_ids: number[];
  settings: Record<string, unknown>;
  expected: { greedy_id: number };
}

const names: Record<string, keyof DrawSettings> = {
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  min_p: 'minP',
  repetition_penalty: 'repetitionPenalty',
  frequency_penalty: 'frequencyPenalty',
  presence_penalty: 'presencePenalty',
  logit_bias: 'logitBias',
};

test('the cases of sampling.json that the GPU samples: the same draws as in JavaScript', async () => {
  const { cases } = await readFixtureJson<{ cases: SamplingCase[] }>('sampling.json');
  let compared = 0;
  for (const one of cases) {
    const keys = Object.keys(one.settings);
    if (keys.some((key) => !(key in names))) continue;
    const entries = keys.map((key) => {
      const value = one.settings[key];
      const map = () =>
        new Map(Object.entries(value as Record<string, number>).map(([id, bias]) => [Number(id), bias]));
      return [names[key]!, key === 'logit_bias' ? map() : value] as const;
    });
    const settings = Object.fromEntries(entries) as Partial<Omit<DrawSettings, 'seed'>>;
    // As many words in each case: every vocabulary has kernels of its own, which software compiles for seconds.
    const logits = new Float32Array(1000).fill(Number.NEGATIVE_INFINITY);
    one.logits.forEach((value, id) => {
      logits[id] = value ?? Number.NEGATIVE_INFINITY;
    });
    const program = await fixedLogits(logits);
    const history = { prompt: one.prompt_ids, generated: one.generated_ids };
    const probs = distribution(logits, { temperature: 1, ...settings }, history);
    for (let seed = 0; seed < 6; seed++) {
      const [drawn] = await drawAll(program, { ...settings, seed: [seed, 0] }, 1, one.prompt_ids, one.generated_ids);
      const { id, margin } = expectedDraw(probs, uniform(seed, one.generated_ids.length));
      if (margin > 1e-5) expect(drawn!.id, `${one.name}, seed ${seed}`).toBe(id);
      expect(probs[drawn!.id], `${one.name}: an excluded id`).toBeGreaterThan(0);
    }
    const [greedy] = await drawAll(program, { ...settings, temperature: 0 }, 1, one.prompt_ids, one.generated_ids);
    expect(greedy!.id, one.name).toBe(one.expected.greedy_id);
    program.dispose();
    compared++;
  }
  expect(compared).toBeGreaterThan(20);
});

describe('a vocabulary of 50,257', () => {
  const logits = randomValues(50257, 7, 8);
  /** Each setting by itself, as the cases of sampling.json have it too. */
  const apart: Partial<Omit<DrawSettings, 'seed'>>[] = [
    { temperature: 0.7 },
    { topK: 1 },
    { topK: 40 },
    { topK: 49999 },
    { topP: 0 },
    { topP: 0.9 },
    { topP: 0.999, temperature: 1.5 },
    { minP: 0.05 },
  ];
  const variants: typeof apart = [
    {},
    { topK: 200, topP: 0.95, minP: 0.01, temperature: 0.8 },
    { topP: 0.5, repetitionPenalty: 1.3, frequencyPenalty: 0.5, presencePenalty: 0.2, logitBias: new Map([[7, 12]]) },
    ...(isFull ? apart : []),
  ];

  test.each(variants)('a stream of draws equals JavaScript: %o', async (settings) => {
    const program = await fixedLogits(logits);
    const prompt = [1, 2, 3, 50256];
    const drawn = await drawAll(program, { ...settings, seed: [123, 4] }, 9, prompt);
    expect(drawn.length).toBe(9);
    const generated: number[] = [];
    for (const { id } of drawn) {
      const probs = distribution(logits, { temperature: 1, ...settings }, { prompt, generated });
      const expected = expectedDraw(probs, uniform(4 * 2 ** 32 + 123, generated.length));
      if (expected.margin > 1e-5) expect(id).toBe(expected.id);
      generated.push(id);
    }
    program.dispose();
  });

  test('log-probabilities of the drawn token and of the likeliest five', async () => {
    const program = await fixedLogits(logits);
    const [drawn] = await drawAll(program, { topLogprobs: 5 }, 1);
    const top = Math.max(...logits);
    const logSumExp = top + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
    const best = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b).slice(0, 5);
    expect(drawn!.top.map(({ id }) => id)).toEqual(best);
    expectClose(
      drawn!.top.map(({ logprob }) => logprob),
      best.map((id) => logits[id]! - logSumExp),
      { absolute: 2e-5 },
    );
    expectClose([drawn!.logprob], [logits[drawn!.id]! - logSumExp], { absolute: 2e-5 });
    program.dispose();
  });
});

test('ties go to the lower id, and an end id ends the stream', async () => {
  const logits = new Float32Array(1000).fill(Number.NEGATIVE_INFINITY);
  logits.set([0, 3, 3, 1, 3]);
  const program = await fixedLogits(logits);
  const drawn = await drawAll(program, { temperature: 0 }, 100);
  expect(drawn.length).toBe(100);
  expect(drawn.every(({ id }) => id === 1)).toBe(true);
  const ended = await drawAll(program, { temperature: 0, ends: [4, 1] }, 100);
  expect(ended.map(({ id }) => id)).toEqual([1]);
  program.dispose();
});
