import { afterAll, describe, expect, test } from 'vitest';
import { openFixture, openTiny } from './models.ts';

const model = await openFixture('tiny-gpt2');
const short = await openTiny({ vocabSize: 50, nCtx: 8 }, {}, 3);
afterAll(() => {
  model.dispose();
  short.dispose();
});

const ids = (length: number, words: number) => Array.from({ length }, (_, i) => (i * i * 7 + i * 3 + 5) % words);

/** What the definitions say of a token, from its logits. */
function judge(logits: Float32Array, id: number) {
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  const logprobs = [...logits].map((logit) => logit - total);
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  return {
    logprob: logprobs[id]!,
    rank: 1 + order.indexOf(id),
    entropy: logprobs.reduce((sum, logprob) => sum - Math.exp(logprob) * logprob, 0),
  };
}

test('a context of one position still predicts each token from the one before', async () => {
  const narrow = await openTiny({ vocabSize: 50, nCtx: 8 }, { contextLength: 1 });
  const text = ids(6, 50);
  const { logprobs, perplexity } = await narrow.score(text);
  expect(logprobs[0]).toBeNull();
  for (let i = 1; i < text.length; i++) {
    const { data } = await narrow.logits(text.slice(i - 1, i));
    expect(logprobs[i]).toBeCloseTo(judge(data, text[i]!).logprob, 5);
  }
  expect(perplexity).toBeGreaterThan(1);
  narrow.dispose();
});

test('log-probability, rank and entropy of every token, and the perplexity', async () => {
  const text = ids(40, 1000);
  const { logprobs, ranks, entropies, perplexity, ids: scored } = await model.score(text);
  expect(scored).toEqual(text);
  expect([logprobs[0], ranks[0], entropies[0]]).toEqual([null, null, null]);
  const { data } = await model.logits(text, { positions: [...text.keys()] });
  let sum = 0;
  for (let i = 1; i < text.length; i++) {
    const expected = judge(data.subarray((i - 1) * 1000, i * 1000), text[i]!);
    expect(logprobs[i]).toBeCloseTo(expected.logprob, 5);
    expect(ranks[i]).toBe(expected.rank);
    expect(entropies[i]).toBeCloseTo(expected.entropy, 5);
    sum += expected.logprob;
  }
  expect(perplexity).toBeCloseTo(Math.exp(-sum / 39), 3);
});

describe('a text longer than the context', () => {
  test.each([1, 2, 3, 4, 5, 7, undefined])('windows that move on by %o', async (stride) => {
    for (const length of [7, 8, 9, 10, 12, 13, 25]) {
      const text = ids(length, 50);
      const { logprobs } = await short.score(text, { stride });
      const step = stride ?? 4;
      for (let i = 1; i < length; i++) {
        // The first window that reaches token i predicts it, from all it holds before.
        const window = Math.max(0, Math.ceil((i + 1 - 8) / step));
        const { data } = await short.logits(text.slice(window * step, i));
        expect(logprobs[i], `token ${i} of ${length}`).toBeCloseTo(judge(data, text[i]!).logprob, 4);
      }
    }
  });

  test('as long as it likes', async () => {
    const { logprobs, perplexity } = await model.score(ids(700, 1000));
    expect(logprobs.filter((logprob) => logprob !== null).length).toBe(699);
    expect(perplexity).toBeGreaterThan(1);
  });
});

test('texts with nothing to predict', async () => {
  expect(await model.score('')).toEqual({ ids: [], logprobs: [], ranks: [], entropies: [], perplexity: Number.NaN });
  expect(await model.score([5])).toEqual({
    ids: [5],
    logprobs: [null],
    ranks: [null],
    entropies: [null],
    perplexity: Number.NaN,
  });
});

test('logits of any positions, in any order, the last by default', async () => {
  const text = ids(20, 1000);
  const all = await model.logits(text, { positions: [...text.keys()] });
  expect(all.shape).toEqual([20, 1000]);
  const some = await model.logits(text, { positions: [5, -1, 0, 5] });
  expect(some.shape).toEqual([4, 1000]);
  for (const [i, at] of [5, 19, 0, 5].entries()) {
    expect(some.data.subarray(i * 1000, (i + 1) * 1000)).toEqual(all.data.subarray(at * 1000, (at + 1) * 1000));
  }
  expect((await model.logits(text)).data).toEqual(all.data.subarray(19_000));
  expect((await model.logits(text, { positions: [] })).data.length).toBe(0);
});
