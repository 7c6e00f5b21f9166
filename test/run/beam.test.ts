import { describe, expect, test } from 'vitest';
import type { Model } from '../../src/run/model.ts';
import type { GenerateOptions } from '../../src/run/options.ts';
import { readGenerateOptions } from '../../src/run/options.ts';
import { processLogits } from '../../src/run/sampling.ts';
import { openTiny } from './models.ts';

const words = 4;
const model = await openTiny({ vocabSize: words, nCtx: 12 });

async function logProbs(of: Model, text: number[]): Promise<number[]> {
  const { data } = await of.logits(text);
  const total = Math.log(data.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return [...data].map((logit) => logit - total);
}

interface Text {
  ids: number[];
  score: number;
}

/** Every text of at most `length` tokens that a search could find, best first. */
async function exhaustive(
  prompt: number[],
  length: number,
  eos: number | undefined,
  options: GenerateOptions,
): Promise<Text[]> {
  const settings = readGenerateOptions(
    { numBeams: 2, ...options },
    { vocabSize: words, eosTokenIds: eos === undefined ? [] : [eos] },
  );
  const found: Text[] = [];
  const grow = async (ids: number[], sum: number): Promise<void> => {
    const ended = ids.length > 0 && ids.at(-1) === eos;
    if (ended || ids.length === length) {
      found.push({ ids, score: sum / ids.length ** settings.lengthPenalty });
      return;
    }
    const raw = Float32Array.from(await logProbs(model, [...prompt, ...ids]));
    const scores = processLogits(raw, settings, { prompt, generated: ids });
    for (let id = 0; id < words; id++)
      if (scores[id]! > Number.NEGATIVE_INFINITY) await grow([...ids, id], sum + scores[id]!);
  };
  await grow([], 0);
  return found.sort((a, b) => b.score - a.score);
}

describe('enough beams find what an exhaustive search finds', () => {
  const cases: [string, number[], number, number | undefined, GenerateOptions][] = [
    ['without an end', [1], 4, undefined, {}],
    ['with an end and no length penalty', [2, 0], 4, 3, { lengthPenalty: 0 }],
    ['with an end, per token', [0, 1, 2], 4, 3, {}],
    ['long texts favoured', [3], 3, 0, { lengthPenalty: 2 }],
    ['short texts favoured', [3, 3], 3, 1, { lengthPenalty: -1 }],
    ['with a bias', [1, 2], 3, 2, { logitBias: { 2: -3, 0: 1 } }],
    ['with penalties', [1, 2, 0], 4, 2, { repetitionPenalty: 1.4, presencePenalty: 0.5 }],
    ['without repeated pairs', [1, 1, 0], 4, 3, { noRepeatNgramSize: 2 }],
    ['of at least three tokens', [0], 4, 1, { minNewTokens: 3 }],
  ];
  test.each(cases)('%s', async (_, prompt, length, eos, options) => {
    const expected = await exhaustive(prompt, length, eos, options);
    const numBeams = 300; // more than there are texts: nothing is pruned
    const { sequences } = await model.complete(prompt, {
      ...options,
      maxNewTokens: length,
      eosTokenId: eos ?? null,
      numBeams,
      numReturnSequences: numBeams,
    });
    expect(sequences!.length).toBe(expected.length);
    sequences!.forEach(({ ids, score }, i) => {
      expect(score, `text ${i}, ${ids}`).toBeCloseTo(expected[i]!.score, 4);
    });
    const key = ({ ids }: { ids: number[] }) => ids.join();
    expect(sequences!.map(key).sort()).toEqual(expected.map(key).sort());
  });
});

test('beams are streamed when they are known, with log-probabilities of their own', async () => {
  const options = { numBeams: 3, maxNewTokens: 5, eosTokenId: null, topLogprobs: 2 };
  const tokens = model.generate([1, 2], options);
  const ids: number[] = [];
  for (let next = await tokens.next(); ; next = await tokens.next()) {
    if (!next.done) {
      const all = await logProbs(model, [1, 2, ...ids]);
      expect(next.value.logprob).toBeCloseTo(all[next.value.id]!, 4);
      expect(next.value.top!.length).toBe(2);
      expect(next.value.top![0]!.logprob).toBeCloseTo(Math.max(...all), 4);
      ids.push(next.value.id);
      continue;
    }
    expect(next.value.ids).toEqual(ids);
    expect(next.value.score).toBeCloseTo(next.value.logprobs.reduce((a, b) => a + b) / 5, 4);
    expect(next.value.sequences).toBeUndefined();
    break;
  }
});

test('more beams are never worse', async () => {
  const scores = [];
  for (const numBeams of [2, 3, 5, 8, 64, 256]) {
    scores.push((await model.complete([3, 1], { numBeams, maxNewTokens: 4, eosTokenId: null })).score!);
  }
  expect(scores.at(-1)).toBeCloseTo((await exhaustive([3, 1], 4, undefined, {}))[0]!.score, 4);
  for (const score of scores) expect(score).toBeLessThanOrEqual(scores.at(-1)! + 1e-6);
});

test('everything excluded is an error, not an endless search', async () => {
  const logitBias = Object.fromEntries(Array.from({ length: words }, (_, id) => [id, Number.NEGATIVE_INFINITY]));
  await expect(model.complete([1], { numBeams: 2, logitBias })).rejects.toMatchObject({ code: 'bad-option' });
  await expect(model.complete([1], { logitBias })).rejects.toMatchObject({ code: 'bad-option' });
});
