import { afterAll, describe, expect, test } from 'vitest';
import { draftOf } from '../../src/run/speculate.ts';
import { openFixture } from './models.ts';

describe('a draft', () => {
  test.each([
    [[1, 2, 3, 9, 1, 2, 3], 3, 2, [9, 1]],
    [[1, 2, 3, 9, 7, 3], 3, 4, [9, 7, 3]], // falls back to fewer ids
    [[5, 1, 5, 2, 5], 2, 1, [2]], // the latest place
    [[4, 4, 4, 4], 3, 3, [4]],
    [[1, 2, 3], 3, 5, []],
    [[1], 3, 5, []],
    [[1, 2, 1], 1, 0, []],
  ])('of %j by %i ids, at most %i: %j', (ids, ngram, most, expected) => {
    expect(draftOf(ids, ngram, most)).toEqual(expected);
  });
});

describe.each(['cpu', 'webgpu', 'wasm'] as const)('speculation on %s', async (device) => {
  if (device === 'webgpu') await (await import('../backends.ts')).testGpu();
  const model = await openFixture('tiny-gpt2', { device });
  afterAll(() => model.dispose());
  const phrase = [506, 221, 587, 79, 735, 708, 314];
  const prompt = [...phrase, ...phrase, ...phrase];

  test.each([
    { maxNewTokens: 30 },
    { maxNewTokens: 30, temperature: 0.9, topK: 40, seed: 3 },
    { maxNewTokens: 30, temperature: 1, seed: 4, repetitionPenalty: 1.2, noRepeatNgramSize: 4 },
    { maxNewTokens: 200 }, // to the end of the context
    { maxNewTokens: 30, stop: 'ress', topLogprobs: 2 },
  ])('the same text as without: %o', async (options) => {
    const plain = await model.complete(prompt, options);
    // Software GPUs are slow: one way of drafting will do there.
    const ways = device === 'webgpu' ? [{ ngram: 2 }] : [{}, { ngram: 1, draft: 3 }, { ngram: 2, draft: 40 }];
    for (const speculate of ways) {
      const sped = await model.complete(prompt, { ...options, speculate });
      expect(sped.ids).toEqual(plain.ids);
      expect(sped.text).toBe(plain.text);
      expect(sped.finishReason).toBe(plain.finishReason);
      expect(sped.usage.accepted).toBeLessThanOrEqual(sped.ids.length);
    }
  });

  test('drafts are accepted where the text repeats itself', async () => {
    const { usage } = await model.complete(prompt, { maxNewTokens: 40, speculate: {} });
    expect(usage.accepted).toBeGreaterThan(10);
  });
});

test.each([{ numBeams: 2 }, { numReturnSequences: 2, temperature: 1 }, { onContextFull: 'slide' as const }])(
  'is refused with %o',
  async (options) => {
    const model = await openFixture('tiny-gpt2');
    const refused = { code: 'bad-option', message: expect.stringContaining('speculate') };
    await expect(model.complete([1], { ...options, speculate: {} })).rejects.toMatchObject(refused);
    for (const speculate of [{ ngram: 0 }, { draft: 1.5 }, { n: 1 }, 3]) {
      await expect(model.complete([1], { speculate: speculate as never })).rejects.toMatchObject(refused);
    }
    model.dispose();
  },
);
