import { afterAll, describe, expect, test } from 'vitest';
import { load } from '../../src/run/load.ts';
import type { Model } from '../../src/run/model.ts';
import type { Token } from '../../src/run/output.ts';
import { fixtureFiles, openFixture, openTiny } from './models.ts';

const model = await openFixture('tiny-gpt2');
afterAll(() => model.dispose());

const ids = (length: number, seed = 1) => Array.from({ length }, (_, i) => (i * i * 31 + seed * 77 + i * 13) % 1000);

/** Largest logit's id; asking for the first position's logits too has everything run again. */
async function greedyFromScratch(of: Model, text: number[]): Promise<number> {
  const { data, shape } = await of.logits(text, { positions: [0, text.length - 1] });
  const last = data.subarray(shape[1]);
  return last.indexOf(Math.max(...last));
}

describe('cached decoding equals recomputing from scratch', () => {
  test('for every chunk size and length up to the context', async () => {
    const nCtx = 12;
    const texts = Array.from({ length: nCtx }, (_, n) => ids(n + 1, n).map((id) => id % 16));
    const whole = await openTiny({}, {}, nCtx);
    const expected = await Promise.all(texts.map((text) => whole.logits(text, { positions: [...text.keys()] })));
    for (let chunk = 1; chunk <= nCtx; chunk++) {
      const chunked = await openTiny({}, {}, chunk);
      for (const [i, text] of texts.entries()) {
        const { data } = await chunked.logits(text, { positions: [...text.keys()] });
        expect(data, `chunks of ${chunk}, length ${text.length}`).toEqual(expected[i]!.data);
      }
      chunked.dispose();
    }
    whole.dispose();
  });

  test('token by token, from every prompt length to the end of the context', async () => {
    const scratch = await openTiny({}, {}, 12);
    const cached = await openTiny({}, {}, 3);
    for (let length = 1; length <= 12; length++) {
      const prompt = ids(length, length).map((id) => id % 16);
      const { ids: generated, finishReason } = await cached.complete(prompt);
      expect(finishReason).toBe('context');
      expect(generated.length).toBe(13 - length);
      const text = [...prompt];
      for (const id of generated) {
        expect(id).toBe(await greedyFromScratch(scratch, text));
        text.push(id);
      }
    }
    scratch.dispose();
    cached.dispose();
  });
});

describe('prefix reuse', () => {
  /** Logits of a model that has never seen a text. */
  async function scratch(text: number[]) {
    const fresh = await openFixture('tiny-gpt2');
    const logits = await fresh.logits(text);
    fresh.dispose();
    return logits;
  }

  test('a prompt that begins like an earlier one prefills only the rest, with the same logits', async () => {
    const reused = await openFixture('tiny-gpt2');
    const text = ids(60);
    for (const length of [20, 21, 60, 60, 30]) {
      const prompt = text.slice(0, length);
      const first = await reused.complete(prompt, { maxNewTokens: 1 });
      if (length === 21) expect(first.usage).toEqual({ prompt: 21, completion: 1, cached: 20 });
      if (length === 30) expect(first.usage.cached).toBe(29);
      expect((await reused.logits(prompt)).data).toEqual((await scratch(prompt)).data);
    }
    reused.dispose();
  });

  test('what was generated counts as held, and a change in the middle is noticed', async () => {
    const used = await openFixture('tiny-gpt2');
    const prompt = ids(10);
    const first = await used.complete(prompt, { maxNewTokens: 8, eosTokenId: null });
    const longer = [...prompt, ...first.ids, 5];
    const second = await used.complete(longer, { maxNewTokens: 4, eosTokenId: null });
    expect(second.usage.cached).toBe(17); // the last token generated was never run
    const changed = longer.map((id, i) => (i === 4 ? 999 : id));
    const third = await used.complete(changed, { maxNewTokens: 4, eosTokenId: null });
    expect(third.usage.cached).toBeLessThanOrEqual(4);
    used.dispose();
    expect(second.ids).toEqual((await model.complete(longer, { maxNewTokens: 4, eosTokenId: null })).ids);
    expect(third.ids).toEqual((await model.complete(changed, { maxNewTokens: 4, eosTokenId: null })).ids);
  });

  test('two texts that take turns keep a cache each', async () => {
    const used = await openFixture('tiny-gpt2');
    const [a, b] = [ids(30, 1), ids(30, 2)];
    await used.complete(a, { maxNewTokens: 1 });
    await used.complete(b, { maxNewTokens: 1 });
    expect((await used.complete(a, { maxNewTokens: 1 })).usage.cached).toBe(29);
    expect((await used.complete(b, { maxNewTokens: 1 })).usage.cached).toBe(29);
    used.dispose();
  });

  test.each(['one after the other', 'all at once'])('of many texts, %s, only the latest are held', async (order) => {
    const used = await openFixture('tiny-gpt2');
    // A text that may slide shares no runs with others, which would leave no cache of its own.
    const options = { maxNewTokens: 1, onContextFull: 'slide' } as const;
    const jobs = Array.from({ length: 12 }, (_, seed) => () => used.complete(ids(10, seed), options));
    if (order === 'all at once') await Promise.all(jobs.map((job) => job()));
    else for (const job of jobs) await job();
    const cached = [];
    for (const job of jobs.toReversed()) cached.push((await job()).usage.cached);
    expect(cached.filter((n) => n === 9).length).toBe(4);
    used.dispose();
  });
});

describe('several generations at once', () => {
  test('give what each gives alone', async () => {
    const jobs = Array.from({ length: 6 }, (_, i) => ({
      prompt: i % 2 ? ids(5 + i, i) : ids(12),
      options: {
        maxNewTokens: 6 + i,
        temperature: i % 3,
        seed: i,
        eosTokenId: null,
        ...(i === 4 && { temperature: 0, numBeams: 3 }),
      },
    }));
    const alone = [];
    for (const { prompt, options } of jobs) alone.push((await model.complete(prompt, options)).ids);
    const together = await Promise.all(jobs.map(({ prompt, options }) => model.complete(prompt, options)));
    expect(together.map((completion) => completion.ids)).toEqual(alone);
  });

  test('interleaved token by token, with scores and traces between', async () => {
    const options = { maxNewTokens: 8, eosTokenId: null };
    const prompts = [ids(9, 1), ids(9, 1), ids(14, 2)];
    const alone = await Promise.all(prompts.map(async (prompt) => (await model.complete(prompt, options)).ids));
    const running = prompts.map((prompt) => model.generate(prompt, options));
    const found: number[][] = prompts.map(() => []);
    for (let round = 0; round < 9; round++) {
      for (const [i, tokens] of running.entries()) {
        const next = await tokens.next();
        if (!next.done) found[i]!.push(next.value.id);
      }
      await model.score(ids(20, round));
      await model.trace(ids(4, round), { capture: ['hook_embed'] });
    }
    expect(found).toEqual(alone);
  });
});

describe('sampling', () => {
  const prompt = 'The quick brown fox';
  const options = { maxNewTokens: 12, temperature: 1, eosTokenId: null };

  test('the same seed gives the same text, another one another, and the seed is told', async () => {
    const first = await model.complete(prompt, { ...options, seed: 7 });
    expect((await model.complete(prompt, { ...options, seed: 7 })).ids).toEqual(first.ids);
    expect((await model.complete(prompt, { ...options, seed: 8 })).ids).not.toEqual(first.ids);
    const random = await model.complete(prompt, options);
    expect(Number.isSafeInteger(random.seed)).toBe(true);
    expect((await model.complete(prompt, { ...options, seed: random.seed })).ids).toEqual(random.ids);
  });

  test('several samples are different, reproducible, and the first is the one drawn alone', async () => {
    const several = await model.complete(prompt, { ...options, seed: 7, numReturnSequences: 4 });
    const again = await model.complete(prompt, { ...options, seed: 7, numReturnSequences: 4 });
    const alone = await model.complete(prompt, { ...options, seed: 7 });
    expect(several.sequences!.length).toBe(4);
    expect(again.sequences).toEqual(several.sequences);
    expect(several.ids).toEqual(alone.ids);
    expect(several.sequences![0]).toMatchObject({ ids: alone.ids, text: alone.text });
    expect(new Set(several.sequences!.map(({ ids }) => ids.join())).size).toBe(4);
    expect(several.usage).toMatchObject({ prompt: 9, completion: 48 });
    // Each sample's log-probabilities are its own.
    for (const { ids: sampled, logprobs } of several.sequences!) {
      const scored = await model.score([...model.tokenizer.encode(prompt), ...sampled]);
      sampled.forEach((_, i) => {
        expect(logprobs[i]!).toBeCloseTo(scored.logprobs[9 + i]!, 4);
      });
    }
  });

  test('samples that end early leave the others alone', async () => {
    const free = await model.complete(prompt, { ...options, seed: 3, numReturnSequences: 5 });
    const eosTokenId = free.sequences![0]!.ids[2]!;
    const ended = await model.complete(prompt, { ...options, seed: 3, numReturnSequences: 5, eosTokenId });
    for (const [i, { ids: sampled, finishReason }] of ended.sequences!.entries()) {
      const whole = free.sequences![i]!.ids;
      const end = whole.indexOf(eosTokenId);
      expect(sampled).toEqual(end < 0 ? whole : whole.slice(0, end + 1));
      expect(finishReason).toBe(end < 0 ? 'length' : 'eos');
    }
  });
});

test('logprobs and topLogprobs are the log-softmax of the raw logits, whatever the options', async () => {
  const prompt = ids(5);
  const tokens: Token[] = [];
  const options = { maxNewTokens: 4, eosTokenId: null, topLogprobs: 3, temperature: 2, seed: 1, logitBias: { 7: 50 } };
  for await (const token of model.generate(prompt, options)) tokens.push(token);
  const text = [...prompt];
  for (const { id, logprob, top } of tokens) {
    const { data } = await model.logits(text);
    const total = Math.log(data.reduce((sum, logit) => sum + Math.exp(logit), 0));
    expect(logprob).toBeCloseTo(data[id]! - total, 5);
    const best = [...data.keys()].sort((a, b) => data[b]! - data[a]!).slice(0, 3);
    expect(top!.map((one) => one.id)).toEqual(best);
    for (const one of top!) {
      expect(one.logprob).toBeCloseTo(data[one.id]! - total, 5);
      expect(one.text).toBe(model.tokenizer.token(one.id));
    }
    text.push(id);
  }
});

test('an empty prompt starts from <|endoftext|>', async () => {
  const empty = await model.complete('', { maxNewTokens: 5 });
  expect(empty.ids).toEqual((await model.complete([999], { maxNewTokens: 5 })).ids);
  expect((await model.complete([] as number[], { maxNewTokens: 5 })).usage.prompt).toBe(1);
});

test.each([
  ['no id', { bos_token_id: undefined }],
  ['null', { bos_token_id: null }],
  ['an id outside the vocabulary', { bos_token_id: 50256 }],
])('it does so too where config.json names %s', async (_, fields) => {
  const [config, ...others] = await fixtureFiles('tiny-gpt2');
  const changed = { ...JSON.parse(await config!.text()), ...fields };
  const unnamed = await load([new File([JSON.stringify(changed)], 'config.json'), ...others], { device: 'cpu' });
  expect(unnamed.config.bosTokenId).toBe(999);
  const expected = await model.complete([999], { maxNewTokens: 5 });
  for (const prompt of ['', []])
    expect((await unnamed.complete(prompt, { maxNewTokens: 5 })).ids).toEqual(expected.ids);
  unnamed.dispose();
});

test('an empty text needs no tokenizer', async () => {
  const files = (await fixtureFiles('tiny-gpt2')).filter(({ name }) => name !== 'tokenizer.json');
  const silent = await load(files, { device: 'cpu' });
  expect((await silent.complete('', { maxNewTokens: 5 })).ids).toEqual(
    (await model.complete([999], { maxNewTokens: 5 })).ids,
  );
  silent.dispose();
});

test('nano-sort sorts', async () => {
  const sorter = await openFixture('nano-sort');
  const { ids: sorted } = await sorter.complete([2, 1, 0, 1, 1, 2], { maxNewTokens: 6 });
  expect(sorted).toEqual([0, 1, 1, 1, 2, 2]);
  sorter.dispose();
});
