import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { EncoderDecoder } from '../../src/run/encoder-decoder.ts';
import { Engine } from '../../src/run/engine.ts';
import { insides } from '../../src/run/insides.ts';
import { load } from '../../src/run/load.ts';
import { loadEncoder } from '../../src/run/load-encoder.ts';
import { loadEncoderDecoder } from '../../src/run/load-encoder-decoder.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { isFull, testGpu } from '../backends.ts';
import { expectClose } from '../close.ts';
import { readModelFile } from '../fixtures.ts';
import { familyExpected } from '../model/families.ts';
import { type Fragile, fixtureFiles, fragile } from './models.ts';
import { openTranslator, translatorFiles } from './translators.ts';

interface Reference {
  cases: {
    text: string;
    input_ids: number[];
    output_ids?: number[];
    output?: string;
    greedy_ids?: number[];
    greedy?: string;
    beam4_ids?: number[];
    beam4?: string;
  }[];
}

const referenceOf = async (name: string) =>
  JSON.parse(new TextDecoder().decode(await readModelFile(`${name}/reference.json`))) as Reference;

const model = await openTranslator('marian-swish', {}, {}, 4);
afterAll(() => model.dispose());

const source = [103, 142, 170, 6, 104, 189, 0];
const other = [209, 256, 96, 209, 152, 68, 185, 2, 99, 235, 211, 114, 204, 183, 0];
/** Greedy, of 14 tokens, whatever the files say. */
const greedy = { numBeams: 1, eosTokenId: null, forcedEosTokenId: null, maxNewTokens: 14 };

const trainedOn = ['cpu', 'wasm', ...(isFull ? (['webgpu'] as const) : [])] as const; // software compiles for ten seconds
describe.each(trainedOn)('trained models on %s', (device) => {
  beforeAll(async () => device === 'webgpu' && void (await testGpu()));

  // A software GPU takes a minute to check the kernels of each.
  const names = device === 'webgpu' ? ['tiny-dates'] : ['tiny-translate', 'tiny-dates', 'tiny-tasks'];
  test.each(names)('%s answers as its card says', async (name) => {
    const trained = await openTranslator(name, { device });
    const { cases } = await referenceOf(name);
    for (const one of device === 'webgpu' ? cases.slice(0, 2) : cases) {
      expect(trained.tokenizer.inputs(one.text).ids).toEqual(one.input_ids);
      const found = await trained.complete(one.text);
      expect([found.text, found.ids]).toEqual([one.beam4 ?? one.output, one.beam4_ids ?? one.output_ids]);
      expect(found.finishReason).toBe('eos');
      if (one.greedy) expect((await trained.complete(one.input_ids, { numBeams: 1 })).text).toBe(one.greedy);
    }
    trained.dispose();
  });
});

describe('what the files say', () => {
  test('holds where a call says nothing: beams, lengths, forced and banned ids', async () => {
    const found = await model.complete(source);
    const same = await model.complete(source, {
      ...{ numBeams: 4, maxNewTokens: 63, eosTokenId: 0, forcedEosTokenId: 0, badWords: [[275]] },
      decoderStartTokenId: 275,
    });
    expect(found.ids).toEqual(same.ids);
    expect(found.score).toBe(same.score);
    expect(found.ids.length).toBe(63); // max_length 64 counts the token that the decoder begins with
    expect(found.ids.at(-1)).toBe(0); // forced_eos_token_id
    expect(found.usage).toEqual({ prompt: source.length, completion: 63, cached: 0 });
  });

  test("of BART: a forced first token, no repeated n-grams, and beams that end early; a caller's options win", async () => {
    const bart = await openTranslator('bart');
    const { ids } = await bart.complete([0, 55, 263, 281, 2]);
    expect(ids[0]).toBe(0);
    const grams = ids.slice(2).map((_, i) => ids.slice(i, i + 3).join());
    expect(new Set(grams).size).toBe(grams.length);
    const plain = { noRepeatNgramSize: 0, forcedBosTokenId: null, numBeams: 1, maxNewTokens: 20 };
    const free = (await bart.complete([0, 55, 263, 281, 2], plain)).ids;
    expect(free[0]).not.toBe(0);
    expect(free.length).toBeLessThanOrEqual(20);
    bart.dispose();
  });

  test('config.json speaks where generation_config.json is silent, or not there', async () => {
    const { cases } = await referenceOf('tiny-dates');
    const bare = await openTranslator('tiny-dates', {}, { 'generation_config.json': undefined });
    expect((await bare.complete(cases[0]!.text)).text).toBe(cases[0]!.output);
    bare.dispose();
    const silent = await openTranslator('tiny-dates', {}, { 'generation_config.json': '{"max_length": 5}' });
    const { ids, finishReason } = await silent.complete(cases[0]!.text);
    expect([ids.length, finishReason]).toEqual([4, 'eos']); // the last one is forced
    silent.dispose();
  });

  test('gives way to options that it leaves no room for', async () => {
    for (const options of [{ temperature: 1, seed: 7 }, { stop: 'zzz' }, { onContextFull: 'slide' as const }]) {
      expect((await model.complete(source, { ...options, maxNewTokens: 3 })).ids.length).toBe(3);
    }
    const several = await model.complete(source, { numReturnSequences: 3, maxNewTokens: 3 });
    expect(several.sequences!.length).toBe(3);
    const sampled = await model.complete(source, { numReturnSequences: 6, temperature: 1, maxNewTokens: 3 });
    expect(sampled.sequences!.length).toBe(6);
  });

  test('samples where it says do_sample, with its temperature and filters', async () => {
    const settings =
      '{"do_sample": true, "temperature": 5.0, "top_k": 0, "num_beams": 1, "max_length": 13, "eos_token_id": null}';
    const sampling = await openTranslator('marian-swish', {}, { 'generation_config.json': settings });
    const [one, two] = [await sampling.complete(source, { seed: 1 }), await sampling.complete(source, { seed: 2 })];
    expect(one.ids).not.toEqual(two.ids);
    const given = { temperature: 5, numBeams: 1, maxNewTokens: 12, forcedEosTokenId: 0, badWords: [], seed: 1 };
    expect(one.ids).toEqual((await model.complete(source, given)).ids);
    expect((await sampling.complete(source, { temperature: 0, maxNewTokens: 4 })).ids).toEqual(
      (await model.complete(source, { ...greedy, badWords: [], maxNewTokens: 4, forcedEosTokenId: 0 })).ids,
    );
    sampling.dispose();
  });

  test('of beams that draw, which are none of ours, neither half is left out unasked', async () => {
    const settings = '{"do_sample": true, "temperature": 0.7, "num_beams": 2, "max_length": 8}';
    const both = await openTranslator('marian-swish', {}, { 'generation_config.json': settings });
    await expect(both.complete(source)).rejects.toThrow('temperature is 0.7; expected 0 with numBeams');
    const beams = (await both.complete(source, { numBeams: 2 })).ids;
    expect((await both.complete(source, { temperature: 0 })).ids).toEqual(beams);
    expect((await both.complete(source, { numBeams: 1, seed: 3 })).seed).toBe(3);
    both.dispose();
  });

  test('suppresses tokens, everywhere and at the beginning', async () => {
    const { ids } = await model.complete(source, greedy);
    const settings = { suppress_tokens: [ids[2]!], begin_suppress_tokens: [ids[0]!], num_beams: 1, max_length: 10 };
    const bans = await openTranslator('marian-swish', {}, { 'generation_config.json': JSON.stringify(settings) });
    const found = (await bans.complete(source, { eosTokenId: null })).ids;
    expect(found[0]).not.toBe(ids[0]);
    expect(found.slice(0, -1)).not.toContain(ids[2]);
    bans.dispose();
  });

  test('of a text decoder is read by load too', async () => {
    const files = await fixtureFiles('tiny-gpt2');
    const with_ = async (json: string) =>
      load([...files, new File([json], 'generation_config.json')], { device: 'cpu' });
    const plain = await load(files, { device: 'cpu' });
    const expected = await plain.complete([1, 2, 3], { maxNewTokens: 7, eosTokenId: null });
    const short = await with_('{"max_new_tokens": 7, "eos_token_id": null, "do_sample": false, "temperature": 0.3}');
    expect((await short.complete([1, 2, 3], { eosTokenId: null })).ids).toEqual(expected.ids);
    const whole = await with_('{"max_length": 10}');
    expect((await whole.complete([1, 2, 3], { eosTokenId: null })).ids).toEqual(expected.ids);
    const ends = await with_(JSON.stringify({ eos_token_id: [999, expected.ids[4]] }));
    expect((await ends.complete([1, 2, 3])).finishReason).toBe('eos');
    const padless = await with_('{"max_new_tokens": 7, "pad_token_id": -1}'); // as the first files of Llama say it
    expect((await padless.complete([1, 2, 3], { eosTokenId: null })).ids).toEqual(expected.ids);
    for (const one of [plain, short, whole, ends, padless]) one.dispose();
    await expect(with_('{"temperature": ')).rejects.toMatchObject({ code: 'bad-checkpoint' });
  });
});

describe('generate', () => {
  test('streams the tokens of complete, whose texts joined are its text', async () => {
    const tokens = [];
    for await (const token of model.generate(source, greedy)) tokens.push(token);
    const completion = await model.complete(source, { ...greedy, topLogprobs: 2 });
    expect(tokens.map(({ id }) => id)).toEqual(completion.ids);
    expect(tokens.map(({ text }) => text).join('')).toBe(completion.text);
    expect(completion.top!.every((top, i) => top[0]!.id === completion.ids[i])).toBe(true);
  });

  test('takes texts, ids and a mask; special tokens that are written are no text', async () => {
    const text = '>>de<< The lamp in the window was lit.';
    const ids = model.tokenizer.inputs(text).ids;
    expect((await model.complete(text, greedy)).ids).toEqual((await model.complete(ids, greedy)).ids);
    const padded = { ids: [...ids, 275, 275], mask: [...ids.map(() => 1), 0, 0] };
    expect((await model.complete(padded, greedy)).ids).toEqual((await model.complete(ids, greedy)).ids);
    const pads = { ...greedy, badWords: [], logitBias: { 275: 1e9 }, maxNewTokens: 3 };
    expect(await model.complete(text, pads)).toMatchObject({ ids: [275, 275, 275], text: '' });
  });

  test('does as the fixtures do with texts', async () => {
    for (const folder of ['marian-swish', 'bart', 't5-v1.0']) {
      const one = await openTranslator(folder);
      for (const { text, ids } of (await familyExpected(folder)).texts!) {
        if (text.startsWith('>>') || ids.length < 60) {
          expect((await one.complete(text, { ...greedy, maxNewTokens: 2 })).ids, text).toEqual(
            (await one.complete(ids, { ...greedy, maxNewTokens: 2 })).ids,
          );
        }
      }
      one.dispose();
    }
  });

  test('sampling, several sequences, processors, stops, minimum and bias', async () => {
    const sampled = { ...greedy, temperature: 1, seed: 3, numReturnSequences: 2 };
    const [a, b] = [await model.complete(source, sampled), await model.complete(source, sampled)];
    expect(a.sequences).toEqual(b.sequences);
    expect((await model.complete(source, { ...sampled, numReturnSequences: 1 })).ids).toEqual(a.sequences![0]!.ids);
    expect(a.sequences![0]!.ids).not.toEqual(a.sequences![1]!.ids);
    const seen: number[][] = [];
    const watch = (_: Float32Array, { prompt }: { prompt: readonly number[] }) => void seen.push([...prompt]);
    await model.complete(source, { ...greedy, maxNewTokens: 2, logitsProcessors: [watch] });
    expect(seen).toEqual([[275], [275]]);
    const first = (await model.complete(source, greedy)).ids[0]!;
    expect((await model.complete(source, { ...greedy, logitBias: { [first]: -1e9 } })).ids).not.toContain(first);
    const short = await model.complete(source, { ...greedy, eosTokenId: first, minNewTokens: 4 });
    expect(short.ids.slice(0, 4)).not.toContain(first);
    expect((await model.complete(source, { ...greedy, eosTokenId: first })).finishReason).toBe('eos');
  });

  test('chunks of a target change nothing', async () => {
    const target = [275, ...other];
    const expected = (await model.run(source, target)).logits.data;
    for (const chunk of [1, 3, 16]) {
      const chunked = await openTranslator('marian-swish', {}, {}, chunk);
      expectClose((await chunked.run(source, target)).logits.data, expected, {}, `chunks of ${chunk}`);
      expect((await chunked.complete(source, greedy)).ids).toEqual((await model.complete(source, greedy)).ids);
      chunked.dispose();
    }
  });

  test('side by side, each has its own source; a prefix is used again after the same source alone', async () => {
    const texts = [source, other, source.slice(2), other.slice(3)];
    const alone = [];
    for (const text of texts) alone.push((await model.complete(text, greedy)).ids);
    const together = await Promise.all(texts.map((text) => model.complete(text, greedy)));
    expect(together.map(({ ids }) => ids)).toEqual(alone);
    const fresh = await openTranslator('marian-swish');
    const target = [5, 28, 28, 28];
    const score = async () => (await fresh.score(source, target)).logprobs;
    const expected = await score();
    await fresh.score(other, target);
    expect(await score()).toEqual(expected);
    for (let i = 0; i < 6; i++) await fresh.score([i + 7, ...source], target); // more than are kept
    expect(await score()).toEqual(expected);
    fresh.dispose();
  });

  test('is refused what cannot be', async () => {
    const refused: [Promise<unknown>, string][] = [
      [model.complete(source, { speculate: {} } as never), 'does not draft'],
      [model.complete(source, { decoderStartTokenId: 276 }), 'expected decoderStartTokenId below 276'],
      [model.complete(source, { forcedBosTokenId: 1.5 }), 'forcedBosTokenId'],
      [model.complete(source, { forcedEosTokenId: [276] }), 'forcedEosTokenId'],
      [model.complete([]), 'The source is empty'],
      [model.complete([276]), 'The source has 276 at 0'],
      [model.complete(7 as never), 'The source is 7'],
      [model.complete({ ids: source, mask: [1] }), 'The mask has 1 numbers for 7 ids'],
      [model.complete({ ids: [1, 2], mask: [0, 0] }), 'no id that is seen'],
      [model.complete({ ids: [1, 2], mask: [1, 2] }), 'mask of the source has 2 at 1'],
      [model.run(source, []), 'The target is empty'],
      [model.run(source, [276]), 'The target has 276 at 0'],
      [model.complete({ ids: [1, 2], mask: [1, 0] }, { edits: [{ name: 'encoded', scale: 2 }] }), 'edits and a mask'],
      [model.trace({ source, target: [275] }, { capture: ['decoder.9.*'] }), 'decoder.9'],
      [model.trace(null as never), '{ source, target }'],
      [model.profile({ source } as never), '{ source, target }'],
      [model.run({ ids: source, masks: [1] } as never, [275]), '"masks"'],
    ];
    for (const [call, message] of refused) {
      const error = await call.then(
        () => undefined,
        (cause: Error) => cause,
      );
      expect(error, message).toMatchObject({ code: 'bad-option' });
      expect(error!.message).toContain(message);
    }
    const long = Array.from({ length: 65 }, () => 7);
    for (const call of [() => model.complete(long), () => model.run(source, long), () => model.score(source, long)]) {
      await expect(call()).rejects.toMatchObject({ code: 'context-full' });
    }
    const plain = await openTranslator('bart');
    const { ids } = await plain.complete([0, 2], {
      decoderStartTokenId: null,
      forcedBosTokenId: null,
      maxNewTokens: 2,
    });
    expect(ids.length).toBe(2); // it begins with bos
    plain.dispose();
  });
});

test('score is the log-probability of each token of a target, its start token aside', async () => {
  const { ids, logprobs } = await model.complete(source, greedy);
  const score = await model.score(source, ids);
  expect(score.ids).toEqual(ids);
  expectClose(score.logprobs as number[], logprobs, { absolute: 1e-5 });
  expect(score.ranks).toEqual(ids.map(() => 1));
  expect(score.perplexity).toBeCloseTo(Math.exp(-logprobs.reduce((a, b) => a + b) / ids.length), 4);
  const { logits } = await model.run(source, [275, ...ids.slice(0, -1)]);
  const total = logits.data.subarray(0, 276).reduce((sum, logit) => sum + Math.exp(logit), 0);
  expect(score.logprobs[0]).toBeCloseTo(logits.data[ids[0]!]! - Math.log(total), 4);
  const text = await model.score('The lamp.', 'Hello');
  expect(text.ids).toEqual(model.tokenizer.encode('Hello', { special: true }));
  expect(await model.score(model.tokenizer.inputs('The lamp.'), 'Hello')).toEqual(text);
  expect(await model.score(source, [])).toMatchObject({ ids: [], logprobs: [], perplexity: Number.NaN });
});

test("a trace takes TransformerLens 4's names of both parts, and so do edits", async () => {
  const input = { source, target: [275, 4, 5] };
  const capture = ['encoder_blocks.*.attn.q.hook_out', 'decoder_blocks.1.cross_attn.hook_pattern'];
  const found = await model.trace(input, { capture });
  expect([...found.keys()].sort()).toEqual([
    'decoder_blocks.1.cross_attn.hook_pattern',
    'encoder_blocks.0.attn.q.hook_out',
    'encoder_blocks.1.attn.q.hook_out',
    'logits',
  ]);
  expect(found.get('decoder_blocks.1.cross_attn.hook_pattern')!.shape).toEqual([3, 3, source.length]);
  const edited = (name: string) => model.trace(input, { edits: [{ name, head: 0, scale: 0 }] });
  expect((await edited('decoder_blocks.0.cross_attn.k.hook_out')).logits).toEqual(
    (await edited('decoder.0.cross_attn.hook_k')).logits,
  );
});

test('profile times each step of the decoder', async () => {
  const { steps, repeats } = await model.profile({ source, target: [275, 4, 5] }, { repeats: 2 });
  expect(repeats).toBe(2);
  expect(steps.some(({ step }) => step.op === 'attentionMix' && step.source === 'memory.1')).toBe(true);
});

describe('ends', () => {
  test('an abort at every token and before; what was done is given back', async () => {
    for (let at = 0; at < 5; at++) {
      const abort = new AbortController();
      const reason = new Error(`at ${at}`);
      if (at === 0) abort.abort(reason);
      const run = async () => {
        for await (const { index } of model.generate(source, { ...greedy, signal: abort.signal })) {
          if (index === at - 1) abort.abort(reason);
        }
      };
      await expect(run()).rejects.toBe(reason);
    }
    for (const call of ['run', 'score'] as const) {
      const signal = AbortSignal.abort(new Error('gone'));
      await expect(model[call](source, [275], { signal })).rejects.toThrow('gone');
    }
    expect((await model.complete(source, greedy)).ids.length).toBe(14);
  });

  test('dispose ends what runs, twice does no harm, and all calls fail after it', async () => {
    const one = await openTranslator('marian-swish');
    const running = one.complete(source, greedy);
    one.dispose();
    one.dispose();
    await expect(running).rejects.toMatchObject({ code: 'disposed' });
    for (const call of [
      () => one.complete(source),
      () => one.run(source, [275]),
      () => one.score(source, [1]),
      () => one.trace({ source, target: [275] }),
      () => one.profile({ source, target: [275] }),
      () => one.weight('shared.weight'),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'disposed' });
    }
  });

  /** The fixture on CPU backends that can be lost; `onRun` before each run. */
  async function openFragile(onRun: (backend: Fragile) => void) {
    const checkpoint = await openCheckpoint(await translatorFiles('marian-swish'), { kind: 'encoder-decoder' });
    const { config } = checkpoint;
    const plan = checkpoint.family.plan(config);
    const opened: Fragile[] = [];
    const engine = await Engine.open({
      ...{ plan, context: plan.nCtx, reopens: true, chunk: 4 },
      async open() {
        const one = fragile(createCpuBackend(), onRun);
        for (const weight of plan.weights) await one.backend.addWeight(weight, 'f32', checkpoint.read(weight));
        opened.push(one);
        return one.backend;
      },
    });
    const tokenizer = await loadTokenizer(await checkpoint.tokenizerFiles(), plan.vocabSize);
    return { opened, fragile: new EncoderDecoder(config, tokenizer, engine, { dtype: 'f32', reason: '' }) };
  }

  test.each([
    ['greedy', { ...greedy, badWords: [] }],
    ['by beams', { numBeams: 3, maxNewTokens: 8, eosTokenId: null, badWords: [] }],
    ['sampled', { ...greedy, badWords: [], temperature: 1, seed: 5, numReturnSequences: 2 }],
  ] as const)('a device that is lost at any run is replaced, and the tokens are the same: %s', async (_, options) => {
    const expected = await model.complete(source, options);
    let [runs, loseAt] = [0, Number.POSITIVE_INFINITY];
    const { fragile: one, opened } = await openFragile((backend) => {
      if (runs++ === loseAt) backend.lose('lost');
    });
    await one.complete(source, options);
    const total = runs;
    for (loseAt = 0; loseAt < total; loseAt++) {
      runs = 0;
      const fresh = [7 + loseAt, ...source]; // else its memory and prefix are there already
      const wanted = loseAt % 4 === 0 ? await model.complete(fresh, options) : undefined;
      const found = await one.complete(wanted ? fresh : source, options);
      expect(
        (found.sequences ?? [found]).map(({ ids }) => ids),
        `lost at run ${loseAt}`,
      ).toEqual(((wanted ?? expected).sequences ?? [wanted ?? expected]).map(({ ids }) => ids));
    }
    expect(opened.length).toBeGreaterThan(2);
    one.dispose();
  });
});

test('a loader that takes another kind of model names the right one', async () => {
  const marian = await translatorFiles('marian-relu');
  const t5 = await translatorFiles('t5-v1.1');
  for (const files of [marian, t5]) {
    await expect(load(files)).rejects.toMatchObject({
      code: 'unsupported-checkpoint',
      hint: 'Call loadEncoderDecoder instead.',
    });
    await expect(loadEncoder(files)).rejects.toMatchObject({ code: 'unsupported-checkpoint' });
  }
  await expect(loadEncoderDecoder(await fixtureFiles('tiny-gpt2'))).rejects.toMatchObject({
    hint: 'Call load instead.',
  });
  await expect(loadEncoderDecoder(marian, { contextLength: 65 })).rejects.toMatchObject({ code: 'bad-option' });
});

test('T5 has no last position: a context may be longer than its files say', async () => {
  const short = await openTranslator('t5-v1.1', { contextLength: 80 });
  const long = await openTranslator('t5-v1.1', { contextLength: 1000 });
  const ids = Array.from({ length: 600 }, (_, i) => (i * 7) % 200);
  await expect(short.complete(ids)).rejects.toMatchObject({ code: 'context-full' });
  expect((await long.complete(ids, { maxNewTokens: 3 })).ids.length).toBe(3);
  expect((await long.complete(ids.slice(0, 60), greedy)).ids).toEqual(
    (await short.complete(ids.slice(0, 60), greedy)).ids,
  );
  await expect(short.complete({ ids: [1, 2, 3], mask: [1, 0, 1] })).rejects.toThrow('positions are relative');
  const padded = { ids: [0, 0, 9, 8, 1, 0], mask: [0, 0, 1, 1, 1, 0] };
  expect((await short.complete(padded, greedy)).ids).toEqual((await short.complete([9, 8, 1], greedy)).ids);
  // Where a source is cut, its mask is cut with it.
  const cut = await short[insides].read({ source: { ids, mask: ids.map((_, i) => +(i < 70)) }, target: [5] }, 0, true);
  expect([cut.source!.length, cut.source!.rows.length]).toEqual([80, 70]);
  short.dispose();
  long.dispose();
});
