import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineWorker } from '../../src/embed/client.ts';
import {
  type Completion,
  type Encoder,
  type EncoderDecoder,
  loadEncoder,
  loadEncoderDecoder,
  type TextsProgress,
  VitrineError,
} from '../../src/index.ts';
import { loadAdapter } from '../../src/learn/index.ts';

const engine = new EngineWorker();
afterAll(() => engine.terminate());

const options = { device: 'cpu' } as const;
const folderOf = (name: string) => `/test/fixtures/families/${name}/`;

type InEither<M> = Omit<M, 'dispose' | 'tokenizer'> & { dispose(): void | Promise<void> };
/** Calls by name. What one gives here, it gives there, errors too. */
type Calls<M> = Record<string, (model: InEither<M>) => Promise<unknown>>;

/** What a call gives, or how it fails: values that can be compared. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    const result = await promise;
    return result instanceof Map ? { ...result, entries: [...result] } : result;
  } catch (error) {
    return error instanceof VitrineError ? error.toJSON() : error;
  }
}

const untimed = ({ timing, ...rest }: Completion) => rest;

async function drained(tokens: AsyncGenerator<{ text: string }, Completion>) {
  const texts: string[] = [];
  for (;;) {
    const next = await tokens.next();
    if (next.done) return [...texts, untimed(next.value)];
    texts.push(next.value.text);
  }
}

const long = 'word '.repeat(400);
const everyEncoder: Calls<Encoder> = {
  run: (m) => m.run(['a small text', { text: 'one', pair: 'two' }, { ids: [3, 4, 5], mask: [1, 0, 1] }]),
  embed: (m) => m.embed(['one', 'two words'], { normalize: true, pooling: ['cls', 'mean'] }),
  'embed one': (m) => m.embed('one'),
  fill: (m) => m.fill('The [MASK] sea and the [MASK].', { topK: 2 }),
  classify: (m) => m.classify(['one', { text: 'two', pair: 'three' }], { topK: 2 }),
  tag: (m) => m.tag('Anna lives in Oslo.', { aggregate: 'simple' }),
  answer: (m) => m.answer('Where?', 'Anna lives by the sea.', { topK: 2 }),
  trace: (m) => m.trace('one two', { capture: ['*hook_pattern'], edits: [{ name: 'hook_full_embed', scale: 2 }] }),
  'trace by a predicate': (m) => m.trace('one two', { capture: (name) => name.endsWith('.hook_attn_out') }),
  weight: (m) => m.weight('embeddings.word_embeddings.weight', { rows: [1] }),
  'too long a text': (m) => m.run([long]),
  'no list': (m) => m.run('text' as never),
  'an unknown option': (m) => m.embed(['one'], { nope: 1 } as object),
  'an option that embed alone has': (m) => m.run(['one'], { onProgress() {} } as object),
};

const everyEncoderDecoder: Calls<EncoderDecoder> = {
  complete: async (m) => untimed(await m.complete('the small boat', { maxNewTokens: 6, numBeams: 1, seed: 1 })),
  beams: async (m) =>
    untimed(await m.complete([5, 6, 7], { maxNewTokens: 4, numBeams: 3, numReturnSequences: 2, seed: 1 })),
  generate: (m) => drained(m.generate('the small boat', { maxNewTokens: 5, numBeams: 1, seed: 1 })),
  run: (m) => m.run({ ids: [5, 6, 7], mask: [1, 1, 0] }, [0, 9, 8]),
  score: (m) => m.score('the small boat', 'a boat'),
  trace: (m) => m.trace({ source: 'one', target: 'two' }, { capture: ['decoder.*.cross_attn.hook_pattern'] }),
  profile: async (m) => (await m.profile({ source: 'one', target: 'two' }, { repeats: 1 })).steps.length,
  'no target': (m) => m.run('one', undefined as never),
  'a wrong id': (m) => m.score([1e6], [1]),
  'an unknown option': (m) => drained(m.generate('one', { onProgress() {} } as object)),
};

describe.each(['bert-mlm', 'bert-tokcls', 'bert-qa', 'bert-seqcls', 'st-mean'])('an encoder, %s', (folder) => {
  let models: [Encoder, Awaited<ReturnType<EngineWorker['loadEncoder']>>];
  beforeAll(async () => {
    const source = folderOf(folder);
    models = await Promise.all([loadEncoder(source, options), engine.loadEncoder(source, options)]);
  });
  afterAll(async () => {
    models[0].dispose();
    await models[1].dispose();
  });

  test('says of itself there what it says here', () => {
    const [here, there] = models;
    for (const field of ['config', 'device', 'sentences'] as const) expect(there[field]).toEqual(here[field]);
    expect([there.tensors(), there.weights()]).toEqual([here.tensors(), here.weights()]);
  });

  test.each(Object.entries(everyEncoder))('%s', async (_, call) => {
    const [here, there] = models;
    expect(await outcome(call(there))).toEqual(await outcome(call(here)));
  });

  test.runIf(folder === 'bert-seqcls')('an adapter crosses, and goes on there as here', async () => {
    const adapter = await loadAdapter(new URL('/test/fixtures/learning/bert-seqcls/adapter-end/', location.href));
    const [here, there] = models;
    const plain = await here.classify('one two');
    for (const given of [adapter, [[adapter, 0.5]] as const, null]) {
      for (const model of models) await model.setAdapter(given);
      expect(await outcome(there.classify('one two'))).toEqual(await outcome(here.classify('one two')));
      expect((await here.classify('one two')).length === plain.length).toBe(true);
    }
    const loaded = await engine.loadEncoder(folderOf(folder), { ...options, adapter });
    await here.setAdapter(adapter);
    expect(await outcome(loaded.classify('one two'))).toEqual(await outcome(here.classify('one two')));
    await Promise.all([here.setAdapter(null), loaded.dispose()]);
    await expect(there.setAdapter({} as never)).rejects.toMatchObject({ code: 'bad-option' });
  });

  test('its tokenizer spells there as here', async () => {
    const [here, there] = [models[0].tokenizer, models[1].tokenizer];
    const { encode, inputs, decode, pieces, token, spelling, join, bytes, stream, target, ...fields } = here;
    expect(there).toMatchObject(fields);
    const text = 'The small boats, unbelievable!';
    const ids = here.encode(text, { special: true });
    expect(await there.encode(text, { special: true })).toEqual(ids);
    expect(await there.inputs(text, { pair: 'two', maxLength: 9 })).toEqual(
      here.inputs(text, { pair: 'two', maxLength: 9 }),
    );
    expect(await there.decode(ids, { special: false })).toBe(here.decode(ids, { special: false }));
    expect(await there.pieces(ids)).toEqual(here.pieces(ids));
    expect(await there.spelling(ids[2]!)).toBe(here.spelling(ids[2]!));
    const streams = [here.stream({ special: false }), there.stream({ special: false })];
    for (const one of [1, 2]) {
      const [a, b] = await Promise.all(
        streams.map(async (s) => [...(await Promise.all(ids.map((id) => s.push(id)))), await s.flush()]),
      );
      expect(b, `time ${one}`).toEqual(a);
    }
    expect(await outcome((async () => there.decode([-1]))())).toEqual(await outcome((async () => here.decode([-1]))()));
  });
});

describe.each(['marian-swish', 'bart', 't5-v1.0'])('an encoder-decoder, %s', (folder) => {
  let models: [EncoderDecoder, Awaited<ReturnType<EngineWorker['loadEncoderDecoder']>>];
  beforeAll(async () => {
    const source = folderOf(folder);
    models = await Promise.all([loadEncoderDecoder(source, options), engine.loadEncoderDecoder(source, options)]);
  });
  afterAll(async () => {
    models[0].dispose();
    await models[1].dispose();
  });

  test('says of itself there what it says here', () => {
    const [here, there] = models;
    for (const field of ['config', 'device'] as const) expect(there[field]).toEqual(here[field]);
    expect([there.tensors(), there.weights()]).toEqual([here.tensors(), here.weights()]);
  });

  test.each(Object.entries(everyEncoderDecoder))('%s', async (_, call) => {
    const [here, there] = models;
    expect(await outcome(call(there))).toEqual(await outcome(call(here)));
  });

  test('both its tokenizers spell there as here', async () => {
    const [here, there] = [models[0].tokenizer, models[1].tokenizer];
    expect(there.target !== undefined).toBe(here.target !== undefined);
    for (const [a, b] of [
      [here, there],
      [here.target ?? here, there.target ?? there],
    ] as const) {
      const ids = a.encode('the small boat', { special: true });
      expect(await b.encode('the small boat', { special: true })).toEqual(ids);
      const [one, other] = [a.stream(), b.stream()];
      for (const id of ids) expect(await other.push(id)).toBe(one.push(id));
      expect(await other.flush()).toBe(one.flush());
    }
  });

  test('a generation that is left early, or aborted, ends there too', async () => {
    const [, there] = models;
    // The worker goes on while this thread waits: a generation that is over cannot be left.
    const endless = { maxNewTokens: 1e6, numBeams: 1, eosTokenId: null, onContextFull: 'slide' } as const;
    const tokens = there.generate('the small boat', endless);
    await tokens.next();
    const { value, done } = await tokens.return(undefined as never);
    expect([done, (value as Completion).finishReason]).toEqual([true, 'abort']);
    const abort = new AbortController();
    const reason = new Error('changed my mind');
    const rest = there.generate('the small boat', { ...endless, signal: abort.signal });
    await rest.next();
    abort.abort(reason);
    await expect(drained(rest)).rejects.toBe(reason);
  });
});

test('progress crosses, and what hears it can end the call', async () => {
  const model = await engine.loadEncoder(folderOf('st-mean'), options);
  const texts = Array.from({ length: 130 }, (_, i) => `text ${i}`);
  const told: TextsProgress[] = [];
  const onProgress = (progress: TextsProgress) => void told.push(progress);
  expect(await model.embed(texts, { onProgress })).toHaveLength(130);
  expect(told.at(-1)).toEqual({ done: 130, total: 130 });
  const reason = new Error('enough');
  const fail = () => {
    throw reason;
  };
  await expect(model.embed(texts, { onProgress: fail })).rejects.toBe(reason);
  expect((await model.embed(['one'])).length).toBe(1);
  await model.dispose();
});

test.each([
  ['load', 'bert-mlm'],
  ['loadEncoder', 'vit'],
  ['loadEncoderDecoder', '../tiny-gpt2'],
  ['loadVision', 'marian-swish'],
] as const)('%s of a checkpoint of another kind fails there as here', async (loader, folder) => {
  const here = await import('../../src/index.ts');
  const error = await outcome(engine[loader](folderOf(folder), options));
  expect(error).toEqual(await outcome(here[loader](folderOf(folder), options)));
  expect(error).toMatchObject({ code: 'unsupported-checkpoint' });
});
