import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/run/model.ts';
import type { Completion, Token } from '../../src/run/output.ts';
import { testGpu } from '../backends.ts';
import { openFixture } from './models.ts';
import { optionsOf, readSampling } from './sampling-fixture.ts';

const { generation, beam_search } = await readSampling();
await testGpu();

async function streamed(tokens: AsyncGenerator<Token, Completion>) {
  const list: Token[] = [];
  for (;;) {
    const next = await tokens.next();
    if (next.done) return { tokens: list, completion: next.value };
    list.push(next.value);
  }
}

describe.each(['cpu', 'wasm', 'webgpu'] as const)('on %s', (device) => {
  let model: Model;
  beforeAll(async () => {
    model = await openFixture('tiny-gpt2', { device });
  });
  afterAll(() => model.dispose());

  test('the model says what it runs on', () => {
    expect(model.device).toMatchObject({ kind: device, dtype: 'f32' });
    expect(model.device.bytes).toBeGreaterThan(4 * 400_000);
    expect(model.device.adapter).not.toBe('');
  });

  describe('generations of sampling.json', () => {
    test.each(generation)('$name', async ({ prompt_text, prompt_ids, settings, expected }) => {
      expect(model.tokenizer.encode(prompt_text)).toEqual(prompt_ids);
      const options = { eosTokenId: null, ...optionsOf(settings) };
      const { tokens, completion } = await streamed(model.generate(prompt_text, options));
      expect(completion.ids).toEqual(expected.new_ids ?? expected.generated_ids);
      expect(completion.finishReason).toBe(expected.finish_reason);
      expect(completion.text).toBe(expected.text);
      expect(tokens.map((token) => token.text).join('')).toBe(expected.text);
      expect(tokens.map((token) => token.id)).toEqual(completion.ids);
      expect(tokens.map((token) => token.index)).toEqual([...completion.ids.keys()]);
    });
  });

  describe('beam searches of sampling.json', () => {
    test.each(beam_search)('$name', async ({ prompt_ids, settings, expected }) => {
      const { sequences } = await model.complete(prompt_ids, optionsOf(settings));
      expect(sequences!.map(({ ids }) => ids)).toEqual(expected.map(({ new_ids }) => new_ids));
      sequences!.forEach(({ score }, i) => {
        expect(Math.abs(score! - expected[i]!.score)).toBeLessThan(1e-4);
      });
    });
  });

  const prompt = Array.from({ length: 30 }, (_, i) => (i * 29 + 71) % 1000);
  const free = { eosTokenId: null, maxNewTokens: 20 };

  test('a prompt in the cache, and the end of the context, change nothing', async () => {
    const first = await model.complete(prompt, free);
    expect(await model.complete(prompt, free)).toMatchObject({ ids: first.ids, usage: { cached: 29 } });
    const longer = [...prompt, ...first.ids];
    expect((await model.complete(longer, free)).usage.cached).toBe(49);
    const full = Array.from({ length: 120 }, (_, i) => (i * 17) % 1000);
    expect(await model.complete(full, free)).toMatchObject({ finishReason: 'context', usage: { completion: 9 } });
  });

  test('sliding past the end of the context equals starting from each window', async () => {
    let window = Array.from({ length: 120 }, (_, i) => (i * 17) % 1000);
    const { ids } = await model.complete(window, { ...free, onContextFull: 'slide' });
    expect(ids.length).toBe(20);
    for (const id of ids) {
      if (window.length > 128) window = window.slice(-64);
      const { data } = await model.logits(window);
      expect(data[id]).toBeGreaterThan(Math.max(...data) - 1e-3);
      window.push(id);
    }
  });

  test('seeded samples are the same on every device, one at a time, several at once and through a processor', async () => {
    const options = { ...free, temperature: 0.8, topK: 40, topP: 0.95, seed: 2 ** 40 + 5, topLogprobs: 2 };
    const reference = await openFixture('tiny-gpt2');
    const expected = await reference.complete(prompt, options);
    reference.dispose();
    const found = await model.complete(prompt, options);
    expect(found.ids).toEqual(expected.ids);
    found.logprobs.forEach((logprob, i) => {
      expect(logprob).toBeCloseTo(expected.logprobs[i]!, 3);
      expect(found.top![i]!.map(({ id, text }) => [id, text])).toEqual(
        expected.top![i]!.map(({ id, text }) => [id, text]),
      );
    });
    expect((await model.complete(prompt, { ...options, numReturnSequences: 4 })).ids).toEqual(expected.ids);
    expect((await model.complete(prompt, { ...options, logitsProcessors: [() => {}] })).ids).toEqual(expected.ids);
  });

  test('several at once, one of them left early, one aborted', async () => {
    const expected = (await model.complete(prompt, free)).ids;
    const abort = new AbortController();
    const aborted = (async () => {
      const tokens = model.generate(prompt.slice(1), { ...free, maxNewTokens: 90, signal: abort.signal });
      for await (const token of tokens) if (token.index === 2) abort.abort();
    })();
    aborted.catch(() => {});
    const left = (async () => {
      for await (const token of model.generate(prompt.slice(2), free)) if (token.index === 3) return;
    })();
    const [first, second] = await Promise.all([model.complete(prompt, free), model.complete(prompt, free), left]);
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    expect([first.ids, second.ids]).toEqual([expected, expected]);
    expect((await model.complete(prompt, free)).ids).toEqual(expected);
  });

  test('dispose ends what runs', async () => {
    const used = await openFixture('tiny-gpt2', { device });
    const tokens = used.generate(prompt, free);
    const jobs = [
      used.complete(prompt, free),
      used.complete(prompt, { ...free, numBeams: 2 }),
      used.score(prompt),
      used.trace(prompt),
    ];
    for (const job of jobs) job.catch(() => {});
    await tokens.next();
    used.dispose();
    const ends = await Promise.allSettled(jobs);
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'disposed' });
    expect(ends.some(({ status }) => status === 'rejected')).toBe(true);
    await expect(used.complete(prompt)).rejects.toMatchObject({ code: 'disposed' });
  });
});

test('nano-sort sorts', async () => {
  const sorter = await openFixture('nano-sort');
  for (const letters of [
    [2, 1, 0, 1, 1, 2],
    [0, 0, 2, 1, 0, 1],
    [2, 2, 2, 1, 0, 0],
  ]) {
    expect((await sorter.complete(letters, { maxNewTokens: 6 })).ids).toEqual(letters.toSorted());
  }
  sorter.dispose();
});

test('settings beyond float32, and logits that are no numbers, are the same on a GPU as on the CPU', async () => {
  const [gpu, cpu] = await Promise.all([openFixture('tiny-gpt2', { device: 'webgpu' }), openFixture('tiny-gpt2')]);
  const seeded = { seed: 3, temperature: 1, maxNewTokens: 3 };
  for (const options of [
    { logitBias: { 5: Number.MAX_VALUE } },
    { logitBias: { 5: 1e39 } },
    { presencePenalty: -1e39 },
    { frequencyPenalty: -1e39 },
    { repetitionPenalty: 1e-39 },
    { temperature: 1e-42 },
    { temperature: 1e39, topK: 5 },
    { temperature: 50, topK: 2 ** 32 + 1 },
  ]) {
    const expected = await cpu.complete([1, 2, 3, 4], { ...seeded, ...options });
    expect((await gpu.complete([1, 2, 3, 4], { ...seeded, ...options })).ids, JSON.stringify(options)).toEqual(
      expected.ids,
    );
  }
  const edits = [{ name: 'hook_embed', set: Number.NaN }];
  const message = await cpu.complete([1], { edits }).catch((error: Error) => error.message);
  expect(message).toMatch('The logit of token 0 is NaN');
  await expect(gpu.complete([1], { edits })).rejects.toThrow(message as string);
  for (const one of [gpu, cpu]) one.dispose();
});
