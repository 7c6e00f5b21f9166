import { afterAll, describe, expect, test } from 'vitest';
import { VitrineError } from '../../src/plan/error.ts';
import { load } from '../../src/run/load.ts';
import type { LoadOptions } from '../../src/run/loading.ts';
import type { GenerateOptions } from '../../src/run/options.ts';
import { distribution } from '../../src/run/sampling.ts';
import type { ScoreOptions } from '../../src/run/score.ts';
import type { TraceOptions } from '../../src/run/trace.ts';
import { tinyFiles } from '../load/tiny-checkpoint.ts';
import { fixtureFiles, openFixture, openTiny } from './models.ts';
import { optionsOf, readSampling } from './sampling-fixture.ts';

const model = await openFixture('tiny-gpt2');
const untied = await openTiny();
afterAll(() => {
  model.dispose();
  untied.dispose();
});

/** The call fails with `bad-option`, and the message has the words. */
async function expectRefused(call: () => unknown, ...words: string[]) {
  const error = await Promise.resolve()
    .then(call)
    .then(
      (result) => expect.unreachable(`it gave ${JSON.stringify(result)}`),
      (error: unknown) => error,
    );
  expect(error).toBeInstanceOf(VitrineError);
  expect((error as VitrineError).code).toBe('bad-option');
  for (const word of words) expect((error as VitrineError).message).toContain(word);
}

const circular: unknown[] = [];
circular.push(circular);

/** Option, value, and what the message has to say besides the option's name. */
const badValues: [keyof GenerateOptions, unknown, ...string[]][] = [
  ['maxNewTokens', 0, '0', 'integer from 1'],
  ['maxNewTokens', -1],
  ['maxNewTokens', 1.5, '1.5'],
  ['maxNewTokens', '5', '"5"'],
  ['maxNewTokens', Number.POSITIVE_INFINITY, 'Infinity'],
  ['maxNewTokens', null, 'null'],
  ['minNewTokens', -1],
  ['minNewTokens', 65, 'maxNewTokens, 64'],
  ['temperature', -0.5],
  ['temperature', Number.NaN, 'NaN'],
  ['temperature', '1'],
  ['temperature', 1n, '1n'],
  ['topK', -1],
  ['topK', 2.5],
  ['topP', 1.1, '0 to 1'],
  ['topP', -0.1],
  ['topP', Number.NaN],
  ['minP', 1.01],
  ['minP', -0.01],
  ['typicalP', 0, 'above 0'],
  ['typicalP', 2],
  ['repetitionPenalty', 0, 'above 0'],
  ['repetitionPenalty', -1],
  ['frequencyPenalty', Number.POSITIVE_INFINITY],
  ['presencePenalty', true, 'true'],
  ['noRepeatNgramSize', -1],
  ['noRepeatNgramSize', 1.5],
  ['badWords', 'word'],
  ['badWords', [''], '[""]'],
  ['badWords', [[]]],
  ['badWords', [[1, 1000]], '1000', '999'],
  ['badWords', [[-1]]],
  ['badWords', [5]],
  ['logitBias', { [-1]: 1 }, '-1'],
  ['logitBias', { 1000: 1 }, '999'],
  ['logitBias', { a: 1 }, '"a"'],
  ['logitBias', { 1: Number.NaN }],
  ['logitBias', { 1: Number.POSITIVE_INFINITY }],
  ['logitBias', new Map([[1.5, 1]])],
  ['logitBias', new Map([[1, '1']])],
  ['logitBias', [1, 2]],
  ['stop', ''],
  ['stop', ['a', '']],
  ['stop', [/a/]],
  ['stop', 1],
  ['eosTokenId', 1000],
  ['eosTokenId', -1],
  ['eosTokenId', [1, 2.5]],
  ['eosTokenId', '999'],
  ['seed', -1],
  ['seed', 0.5],
  ['seed', 2 ** 53],
  ['seed', 'x'],
  ['numBeams', 0],
  ['numBeams', 2.5],
  ['lengthPenalty', Number.NaN],
  ['lengthPenalty', 2, 'numBeams'],
  ['earlyStopping', 'never'],
  ['earlyStopping', true, 'numBeams'],
  ['numReturnSequences', 0],
  ['numReturnSequences', 2, 'temperature', 'numBeams'],
  ['topLogprobs', -1],
  ['topLogprobs', 1001, '1000'],
  ['logitsProcessors', () => {}],
  ['logitsProcessors', [5]],
  ['onContextFull', 'crop', 'slide'],
  ['edits', [{}]],
  ['edits', [{ name: 'hook_embed', set: 'x' }]],
  ['edits', [{ name: 'hook_embed', set: 0, where: 1 }]],
  ['edits', [{ name: 'hook_nothing', set: 0 }], 'hook_nothing'],
  ['edits', [{ name: 'hook_embed' }], 'set, scale and add'],
  ['edits', [{ name: 'hook_embed', set: 0, position: 99 }], '99'],
  ['edits', [{ name: 'hook_embed', set: 0, head: 0 }], 'head'],
  ['edits', [{ name: 'blocks.0.attn.hook_z', set: 0, head: 3 }], '3'],
  ['edits', [{ name: 'logits', set: 0 }], 'logits'],
  ['signal', {}],
  ['signal', 'abort'],
];

describe('generate refuses', () => {
  test.each(badValues)('%s: %o', async (name, value, ...words) => {
    const named = name === 'edits' ? words : [name, ...words];
    await expectRefused(() => model.complete('a b', { [name]: value }), ...named);
    await expectRefused(() => model.generate('a b', { [name]: value }).next());
  });

  const combinations: [string, GenerateOptions, ...string[]][] = [
    ['a temperature with beams', { numBeams: 2, temperature: 1 }, 'temperature', 'numBeams'],
    ['stop strings with beams', { numBeams: 2, stop: 'x' }, 'stop', 'numBeams'],
    ['more sequences than beams', { numBeams: 2, numReturnSequences: 3 }, 'numReturnSequences', '2'],
    ['sliding beams', { numBeams: 2, onContextFull: 'slide' }, 'onContextFull'],
    ['sliding samples', { temperature: 1, numReturnSequences: 2, onContextFull: 'slide' }, 'onContextFull'],
    ['sliding edits', { edits: [{ name: 'hook_embed', scale: 2 }], onContextFull: 'slide' }, 'onContextFull'],
    ['minNewTokens above maxNewTokens', { minNewTokens: 3, maxNewTokens: 2 }, 'minNewTokens'],
  ];
  test.each(combinations)('%s', async (_, options, ...words) => {
    await expectRefused(() => model.complete('a', options), ...words);
  });

  test('unknown options, with the names there are', async () => {
    await expectRefused(
      () => model.complete('a', { max_new_tokens: 3 } as GenerateOptions),
      'max_new_tokens',
      'maxNewTokens',
    );
    await expectRefused(() => model.complete('a', { toString: 3 } as GenerateOptions), 'toString');
    await expectRefused(() => model.complete('a', { constructor: 1 } as unknown as GenerateOptions), 'constructor');
  });

  test('a list that holds itself', async () => {
    await expectRefused(() => model.complete('a', { badWords: circular as string[] }), 'badWords');
  });

  test.each([[null], [5], ['greedy'], [[]]])('%o as options', async (options) => {
    await expectRefused(() => model.complete('a', options as GenerateOptions), 'object');
  });

  test.each([
    [null],
    [undefined],
    [5],
    [{}],
    [[1.5]],
    [[-1]],
    [[1000]],
    [[Number.NaN]],
    [new Float32Array([0.5])],
    [new Array(2)],
  ])('%o as a prompt', async (prompt) => {
    await expectRefused(() => model.complete(prompt as number[]), 'prompt');
  });

  test('an empty prompt where the model has no token to begin with, and text where it has no tokenizer', async () => {
    await expectRefused(() => untied.complete([]), 'empty');
    await expectRefused(() => untied.complete('text'));
  });
});

test('the invalid settings of sampling.json are refused', async () => {
  const { invalid_settings } = await readSampling();
  for (const { settings, why } of invalid_settings) {
    await expectRefused(() => model.complete([1, 2], optionsOf(settings)), ...(why === 'negative' ? ['-1'] : []));
    if (!('num_beams' in settings))
      await expectRefused(() => distribution([1, 2, 3], { temperature: 1, ...optionsOf(settings) }));
  }
});

test('distribution refuses what it cannot read or honour', async () => {
  const logits = [1, 2, 3];
  await expectRefused(() => distribution(logits, { badWords: ['a'] }), 'badWords', 'tokenizer');
  await expectRefused(() => distribution(logits, { numBeams: 2 }), 'numBeams');
  await expectRefused(() => distribution(logits, {}, { prompt: [3] }), '3');
  await expectRefused(() => distribution(logits, {}, { prompts: [] } as object), 'prompts');
  await expectRefused(() => distribution(undefined as unknown as number[]), 'logits');
});

test('values that mean "off" or the default are accepted, and undefined is absent', async () => {
  const options: GenerateOptions = {
    maxNewTokens: 1,
    minNewTokens: 0,
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    typicalP: 1,
    repetitionPenalty: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    noRepeatNgramSize: 0,
    badWords: [],
    logitBias: {},
    stop: [],
    eosTokenId: null,
    seed: 0,
    numBeams: 1,
    lengthPenalty: 1,
    earlyStopping: false,
    numReturnSequences: 1,
    topLogprobs: 0,
    logitsProcessors: [],
    onContextFull: 'stop',
    edits: [],
    signal: new AbortController().signal,
  };
  expect((await model.complete('a', options)).ids).toEqual((await model.complete('a', { maxNewTokens: 1 })).ids);
  const absent = Object.fromEntries(Object.keys(options).map((name) => [name, undefined]));
  expect((await model.complete('a', absent)).ids).toEqual((await model.complete('a')).ids);
});

describe('the other calls refuse', () => {
  const trace = (options: unknown) => () => model.trace('a b', options as TraceOptions);
  const score = (options: unknown) => () => model.score('a b', options as ScoreOptions);
  const logits =
    (options: unknown, prompt: unknown = [1, 2]) =>
    () =>
      model.logits(prompt as number[], options as object);
  const calls: [string, () => unknown, ...string[]][] = [
    ['trace of an unknown name', trace({ capture: ['hook_embed', 'hook_x'] }), 'hook_x'],
    ['trace of a glob without tensors', trace({ capture: ['blocks.9.*'] }), 'blocks.9.*'],
    ['trace of the internal tensor', trace({ capture: ['selected'] }), 'selected'],
    ['trace of a name that is no list', trace({ capture: 'hook_embed' }), 'capture'],
    ['trace with unknown options', trace({ captures: [] }), 'captures'],
    ['trace with bad edits', trace({ edits: [{ name: 'hook_embed', set: [1, 2] }] }), 'hook_embed'],
    ['an edit of no position', trace({ edits: [{ name: 'hook_embed', position: null, set: 0 }] }), 'edits'],
    ['an edit of a position twice', trace({ edits: [{ name: 'hook_embed', position: [1, -1], set: 0 }] }), '1 twice'],
    ['an edit of half a head', trace({ edits: [{ name: 'blocks.0.attn.hook_q', head: [0.5], set: 0 }] }), 'edits'],
    ['trace of nothing', () => model.trace(''), 'empty'],
    ['score with stride 0', score({ stride: 0 }), 'stride'],
    ['score with a stride as long as the context', score({ stride: 128 }), 'stride', '128'],
    ['score of a number', () => model.score(5 as unknown as string), '5'],
    ['logits past the end', logits({ positions: [2] }), '2'],
    ['logits before the beginning', logits({ positions: [-3] }), '-3'],
    ['logits of half a position', logits({ positions: [0.5] }), 'positions'],
    ['logits of no text', logits({}, []), 'empty'],
  ];
  test.each(calls)('%s', (_, call, ...words) => expectRefused(call, ...words));
});

test('texts longer than the context are refused with context-full', async () => {
  const long = new Array<number>(129).fill(1);
  for (const call of [() => model.complete(long), () => model.logits(long), () => model.trace(long)]) {
    await expect(call()).rejects.toMatchObject({ code: 'context-full', message: expect.stringMatching(/129.*128/) });
  }
});

describe('load refuses', () => {
  const cases: [unknown, ...string[]][] = [
    [{ device: 'gpu' }, 'device', '"gpu"'],
    [{ device: 'cuda' }, 'device'],
    [{ device: {} }, 'device'],
    [{ device: null }, 'device'],
    [{ dtype: 'fp16' }, 'dtype', '"fp16"'],
    [{ dtype: 16 }, 'dtype'],
    [{ contextLength: 0 }, 'contextLength'],
    [{ contextLength: 9 }, 'contextLength', '8'],
    [{ contextLength: 2.5 }, 'contextLength'],
    [{ revision: 1 }, 'revision'],
    [{ fetch: 'x' }, 'fetch'],
    [{ cache: 'disk' }, 'cache'],
    [{ onProgress: {} }, 'onProgress'],
    [{ signal: 1 }, 'signal'],
    [{ context: 5 }, 'context'],
    [null, 'object'],
  ];
  test.each(cases)('%o', (options, ...words) =>
    expectRefused(() => load(tinyFiles(), options as LoadOptions), ...words),
  );

  test.each([[undefined], [5], [{}], [[]], [['a']]])('%o as a source', (source) =>
    expectRefused(() => load(source as string, { device: 'cpu' })),
  );
});

test('load reports the bytes it reads, and then that it is ready', async () => {
  const seen: { stage: string; loaded: number; total: number }[] = [];
  const loaded = await load(await fixtureFiles('tiny-gpt2'), {
    device: 'cpu',
    onProgress: (progress) => seen.push(progress),
  });
  loaded.dispose();
  expect(seen.at(-1)).toMatchObject({ stage: 'ready', loaded: seen[0]!.total });
  expect(seen.map(({ loaded }) => loaded)).toEqual(seen.map(({ loaded }) => loaded).sort((a, b) => a - b));
});
