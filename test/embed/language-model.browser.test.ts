import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineWorker } from '../../src/embed/client.ts';
import type { Call } from '../../src/embed/protocol.ts';
import { type Completion, type LanguageModel, type LoadOptions, load, VitrineError } from '../../src/index.ts';

const tiny = '/test/fixtures/tiny-gpt2/';
const ids = [5, 17, 300, 2];
const engine = new EngineWorker();
const reference = await load(tiny, { device: 'cpu', dtype: 'f32' });
afterAll(() => {
  engine.terminate();
  reference.dispose();
});

const loaders: Record<string, (options: Pick<LoadOptions, 'device' | 'dtype'>) => Promise<LanguageModel>> = {
  Model: (options) => load(tiny, options),
  WorkerModel: (options) => engine.load(tiny, options as { device: 'cpu' }),
};

async function failure(promise: Promise<unknown>): Promise<VitrineError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VitrineError);
  return error as VitrineError;
}

/** All that a generation gives. */
async function drained(tokens: ReturnType<LanguageModel['generate']>) {
  const texts: string[] = [];
  for (;;) {
    const next = await tokens.next();
    if (next.done) return { texts, completion: next.value };
    texts.push(next.value.text);
  }
}

/** The worker goes on while this thread waits: a generation that is over cannot be left. */
const endless = { maxNewTokens: 1e6, eosTokenId: null, onContextFull: 'slide' } as const;

const untimed = ({ timing, usage, ...rest }: Completion) => ({ ...rest, usage: { ...usage, cached: 0 } });

describe.each(Object.entries(loaders))('%s is a LanguageModel', (_, loader) => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loader({ device: 'cpu', dtype: 'f32' });
  });
  afterAll(() => model.dispose());

  test('it says what it is', () => {
    expect(model.config).toEqual(reference.config);
    expect(model.device).toEqual(reference.device);
    expect(model.tensors()).toEqual(reference.tensors());
    expect(model.weights()).toEqual(reference.weights());
    model.tensors().pop(); // a caller's own list
    expect(model.tensors()).toEqual(reference.tensors());
  });

  test('it chats', async () => {
    const options = { template: '{{ messages[0].content }}', maxNewTokens: 5 };
    const chat = [{ role: 'user', content: 'One day' }];
    const { texts, completion } = await drained(model.chat(chat, options));
    expect(untimed({ ...completion, seed: 0 })).toEqual(
      untimed({ ...(await reference.complete('One day', { maxNewTokens: 5 })), seed: 0 }),
    );
    expect(texts.join('')).toBe(completion.text);
    expect((await failure(model.chat(chat).next())).message).toContain('has no chat template');
    const wrong = model.chat(chat, { tolls: [] } as object).next();
    expect((await failure(wrong)).message).toContain('tolls');
  });

  test('its tokenizer spells', async () => {
    const { tokenizer } = model;
    expect([tokenizer.vocabSize, tokenizer.eosId]).toEqual([reference.tokenizer.vocabSize, reference.tokenizer.eosId]);
    const text = 'a bird, 鳥 and <|endoftext|>';
    const spelt = reference.tokenizer.encode(text, { special: true });
    expect(await tokenizer.encode(text, { special: true })).toEqual(spelt);
    expect(await tokenizer.encode(text)).not.toEqual(spelt);
    expect(await tokenizer.decode(spelt)).toBe(text);
    expect(await tokenizer.token(spelt[1]!)).toBe(reference.tokenizer.token(spelt[1]!));
    expect(await tokenizer.bytes(300)).toEqual(reference.tokenizer.bytes(300));
    const pieces = await tokenizer.pieces(spelt);
    expect(pieces.join('')).toBe(text);
    expect(pieces).toHaveLength(spelt.length);
    const stream = tokenizer.stream();
    const pushed = await Promise.all(spelt.map((id) => stream.push(id)));
    expect([...pushed.slice(0, -1), pushed.at(-1)! + (await stream.flush())]).toEqual(pieces);
    for (const wrong of [
      () => tokenizer.decode([-1]),
      () => tokenizer.encode(7 as never),
      () => tokenizer.bytes(1e6),
    ]) {
      expect((await failure((async () => wrong())())).code).toBe('bad-option');
    }
  });

  test('it writes', async () => {
    const options = { temperature: 1, topK: 20, seed: 3, maxNewTokens: 12, topLogprobs: 2, stop: ['zzz'] };
    const expected = untimed(await reference.complete(ids, options));
    expect(untimed(await model.complete(ids, options))).toEqual(expected);
    const { texts, completion } = await drained(model.generate(ids, options));
    expect(texts.join('')).toBe(expected.text);
    expect(untimed(completion)).toEqual(expected);
    expect((await model.complete('', { maxNewTokens: 2 })).ids).toEqual(
      (await reference.complete('', { maxNewTokens: 2 })).ids,
    );
  });

  test('a generation that is left early gives its completion', async () => {
    const tokens = model.generate(ids, endless);
    const first = [await tokens.next(), await tokens.next()].map(({ value }) => (value as { id: number }).id);
    const { value, done } = await tokens.return(undefined as never);
    expect(done).toBe(true);
    expect(value).toMatchObject({ finishReason: 'abort' });
    expect((value as Completion).ids.slice(0, 2)).toEqual(first);
    let count = 0;
    for await (const token of model.generate(ids, { maxNewTokens: 100 })) {
      expect(token.index).toBe(count);
      if (++count === 3) break;
    }
    expect(count).toBe(3);
  });

  test('of a text that has come whole, an abort and what is thrown into it are heard all the same', async () => {
    const [reason, writing] = [new Error('changed my mind'), new AbortController()];
    const texts = [model.generate(ids, { maxNewTokens: 3, signal: writing.signal }), model.generate(ids)];
    for (const text of texts) await text.next();
    await model.complete(ids, { maxNewTokens: 70 }); // is longer: what the others wrote has come
    writing.abort(reason);
    await expect(texts[0]!.next()).rejects.toBe(reason);
    await expect(texts[1]!.throw(reason)).rejects.toBe(reason);
  });

  test('it reads', async () => {
    expect(await model.logits(ids, { positions: [0, -1] })).toEqual(
      await reference.logits(ids, { positions: [0, -1] }),
    );
    expect(await model.score(ids)).toEqual(await reference.score(ids));
    const weight = await reference.weight('h.0.attn.c_attn.weight', { rows: [3, 1] });
    expect(await model.weight('h.0.attn.c_attn.weight', { rows: [3, 1] })).toEqual(weight);
    const { steps } = await model.profile(ids, { repeats: 1 });
    expect(steps.length).toBe((await reference.profile(ids, { repeats: 1 })).steps.length);
  });

  test.each([
    ['globs', ['blocks.*.attn.hook_pattern', 'hook_embed']],
    ['a predicate', (name: string) => name.endsWith('hook_resid_post')],
    ["a predicate on TransformerLens 4's names", (name: string) => name.endsWith('attn.q.hook_out')],
  ])('it traces by %s, with edits', async (_, capture) => {
    const edits = [{ name: 'blocks.0.attn.hook_z', head: 1, set: 0 }];
    const [trace, expected] = await Promise.all([
      model.trace(ids, { capture, edits, logits: [-1] }),
      reference.trace(ids, { capture, edits, logits: [-1] }),
    ]);
    expect([...trace]).toEqual([...expected]);
    expect(trace.size).toBeGreaterThan(1);
    const [name] = trace.keys();
    expect(trace.get(name!)).toEqual(expected.get(name!));
    expect([trace.tokens, trace.logits]).toEqual([expected.tokens, expected.logits]);
  });

  test.each([
    ['generate', (m: LanguageModel) => drained(m.generate(ids, { topK: -1 }))],
    ['complete', (m: LanguageModel) => m.complete(ids, { nope: 1 } as object)],
    ['no options', (m: LanguageModel) => m.complete(ids, null as never)],
    ['a list of options', (m: LanguageModel) => m.logits(ids, [] as never)],
    ['a signal that is none', (m: LanguageModel) => m.score(ids, { signal: 7 as never })],
    ['logits', (m: LanguageModel) => m.logits(ids, { positions: [99] })],
    ['trace', (m: LanguageModel) => m.trace(ids, { capture: ['nope'] })],
    ['weight', (m: LanguageModel) => m.weight('nope')],
    ['a prompt', (m: LanguageModel) => m.complete([1e6])],
  ])('it refuses what is wrong with %s', async (_, call) => {
    expect((await failure(call(model))).toJSON()).toEqual((await failure(call(reference))).toJSON());
  });

  test("a call that is cancelled rejects with its signal's reason", async () => {
    const reason = new Error('changed my mind');
    await expect(model.complete(ids, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const writing = new AbortController();
    const tokens = model.generate(ids, { ...endless, signal: writing.signal });
    await tokens.next();
    writing.abort(reason);
    await expect(drained(tokens)).rejects.toBe(reason);
    expect((await model.complete(ids, { maxNewTokens: 2 })).ids).toHaveLength(2);
  });

  test('it ends', async () => {
    const other = await loader({ device: 'cpu' });
    await other[Symbol.asyncDispose]();
    await other.dispose();
    other[Symbol.dispose]();
    for (const call of [() => other.complete(ids), () => other.trace(ids), () => drained(other.generate(ids))]) {
      expect((await failure(call())).code).toBe('disposed');
    }
  });
});

describe('what cannot cross into a worker', () => {
  test.each([
    ['logitsProcessors', { logitsProcessors: [() => {}] }],
    ['edits', { edits: [{ name: 'hook_embed', set: () => 1 }] }],
    ['badWords', { badWords: Promise.resolve() }],
    ['signal', { signal: {} }],
  ])('the option %s is refused by name, before anything is sent', async (name, options) => {
    const model = await engine.load(tiny, { device: 'cpu' });
    const error = await failure(model.complete(ids, options as object));
    expect(error.code).toBe('bad-option');
    expect(error.message).toMatch(new RegExp(`^Option ${name} `));
    await model.dispose();
  });

  test.each([
    ['fetch', { fetch: globalThis.fetch }],
    ['cache', { cache: { get: async () => undefined, put: async () => {} } }],
    ['cache', { cache: new (class Store {})() }],
    ['device', { device: { createComputePipelineAsync() {}, lost: Promise.resolve() } }],
    ['onProgress', { onProgress: 'yes' }],
  ])('nor does load take %s', async (name, options) => {
    const sent: unknown[] = [];
    const deaf = new EngineWorker({
      postMessage: ({ name }: Call) => name !== 'greet' && sent.push(name),
      terminate() {},
    } as never);
    const error = await failure(deaf.load(tiny, options as object));
    expect(error.code).toBe('bad-option');
    expect(error.message).toMatch(new RegExp(`^Option ${name} `));
    expect(sent).toEqual([]);
    deaf.terminate();
  });
});
