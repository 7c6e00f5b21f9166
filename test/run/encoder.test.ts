import { describe, expect, test } from 'vitest';
import type { SentenceConfig } from '../../src/model/sentence.ts';
import type { EncoderIds } from '../../src/run/encoder-input.ts';
import { loadEncoder } from '../../src/run/load-encoder.ts';
import { expectClose } from '../close.ts';
import { EncoderFolder } from '../load/encoder-folder.ts';

const onCpu = { device: 'cpu' } as const;
const open = async (name: string, change: (folder: EncoderFolder) => unknown = () => {}) => {
  const folder = await EncoderFolder.open(name);
  change(folder);
  return loadEncoder(folder.source, onCpu);
};
const refused = (call: Promise<unknown>, code: string, message: RegExp) =>
  expect(call).rejects.toMatchObject({ name: 'VitrineError', code, message: expect.stringMatching(message) });

const texts = ['The lamp in the window was lit.', 'glass', '', 'A small boat crossed the harbour'];

/** Poolings by their definition, one number at a time. */
const pooled: Record<SentenceConfig['pooling'][number], (column: number[]) => number> = {
  cls: ([first]) => first!,
  max: (column) => Math.max(...column),
  mean: (column) => column.reduce((a, b) => a + b, 0) / column.length,
  mean_sqrt_len: (column) => column.reduce((a, b) => a + b, 0) / Math.sqrt(column.length),
  weightedmean: (column) =>
    column.reduce((sum, value, i) => sum + (i + 1) * value, 0) / column.reduce((sum, _, i) => sum + i + 1, 0),
  lasttoken: (column) => column.at(-1)!,
};

describe('embed', () => {
  test('each pooling, and several in the order of the files', async () => {
    const encoder = await open('st-mean', (folder) =>
      folder.set('1_Pooling/config.json', {
        pooling_mode_lasttoken: true,
        pooling_mode_cls_token: true,
        pooling_mode_max_tokens: true,
      }),
    );
    expect(encoder.sentences.pooling).toEqual(['cls', 'max', 'mean', 'lasttoken']);
    const { hidden } = await encoder.run(texts);
    const by = (text: number, modes: readonly string[]) => {
      const { data, shape } = hidden[text]!;
      const column = (j: number) => Array.from({ length: shape[0]! }, (_, i) => data[i * 32 + j]!);
      return modes.flatMap((mode) =>
        Array.from({ length: 32 }, (_, j) => pooled[mode as keyof typeof pooled](column(j))),
      );
    };
    const all = await encoder.embed(texts, { normalize: false });
    for (const i of texts.keys()) expectClose(all[i]!, by(i, encoder.sentences.pooling), { absolute: 1e-6 });
    for (const pooling of Object.keys(pooled) as (keyof typeof pooled)[]) {
      const found = await encoder.embed(texts, { pooling, normalize: false });
      for (const i of texts.keys()) expectClose(found[i]!, by(i, [pooling]), { absolute: 1e-6 }, pooling);
    }
    const two = await encoder.embed([texts[0]!], { pooling: ['max', 'cls'], normalize: false });
    expectClose(two[0]!, by(0, ['max', 'cls']), { absolute: 1e-6 });
    encoder.dispose();
  });

  test.each([
    [{ pooling_mode: 'max' }, ['max']],
    [{ pooling_mode: ['lasttoken', 'mean_sqrt_len_tokens'] }, ['lasttoken', 'mean_sqrt_len']],
    [{ pooling_mode_mean_tokens: undefined }, ['mean']],
    [{ pooling_mode_mean_tokens: undefined, pooling_mode_cls_token: undefined }, ['mean']],
  ] as const)('the pooling of %j', async (fields, pooling) => {
    const encoder = await open('st-mean', (folder) => folder.set('1_Pooling/config.json', fields));
    expect(encoder.sentences.pooling).toEqual(pooling);
    encoder.dispose();
  });

  test('layers, length 1 and the first numbers', async () => {
    const encoder = await open('st-mean', (folder) => folder.addDense({ activation_function: undefined }, 32, 8));
    const plain = await open('st-mean', (folder) => folder.module(2, { type: 'sentence_transformers.models.Dropout' }));
    const unit = (values: readonly number[]) => {
      const length = Math.hypot(...values);
      return values.map((value) => value / length);
    };
    const [vector] = await plain.embed('glass');
    const sum = (vector!.reduce((a, b) => a + b, 0) + 1) / 64;
    expectClose((await encoder.embed(['glass']))[0]!, unit(Array(8).fill(Math.tanh(sum))), { absolute: 1e-6 });
    const raw = await encoder.embed(['glass'], { normalize: false, dimensions: 3 });
    expectClose(raw[0]!, Array(3).fill(Math.tanh(sum)), { absolute: 1e-6 });
    const short = await plain.embed(['glass'], { dimensions: 5, normalize: true });
    expectClose(short[0]!, unit([...vector!.slice(0, 5)]), { absolute: 1e-6 });
    await refused(encoder.embed(['a'], { dimensions: 9 }), 'bad-option', /dimensions is 9; expected at most 8/);
    await refused(encoder.embed(['a'], { pooling: ['cls', 'max'] }), 'bad-option', /layer of 32 numbers takes/);
    encoder.dispose();
    plain.dispose();
  });

  test('prompts: by name, as text, the default, and left out of the pooling', async () => {
    const change = (folder: EncoderFolder) =>
      folder
        .set('config_sentence_transformers.json', {
          prompts: { query: 'the boat ', doc: '' },
          default_prompt_name: 'query',
        })
        .set('1_Pooling/config.json', { include_prompt: false });
    const with_ = await open('st-mean', (folder) =>
      change(folder).set('1_Pooling/config.json', { include_prompt: true }),
    );
    const without = await open('st-mean', change);
    const like = async (a: Promise<Float32Array[]>, b: Promise<Float32Array[]>) =>
      expectClose((await a)[0]!, (await b)[0]!, { absolute: 1e-6 });
    await like(with_.embed(['glass']), with_.embed(['the boat glass'], { prompt: '' }));
    await like(with_.embed(['glass'], { prompt: 'query' }), with_.embed(['glass']));
    await like(with_.embed(['glass'], { prompt: 'doc' }), with_.embed(['glass'], { prompt: '' }));
    await like(with_.embed(['glass'], { prompt: 'lit ' }), with_.embed(['lit glass'], { prompt: '' }));
    // [CLS] and the prompt are passed over, the rest of the same run is pooled.
    const { ids } = without.tokenizer.inputs('the boat ');
    const { hidden } = await without.run(['the boat glass']);
    const rest = hidden[0]!.data.subarray((ids.length - 1) * 32);
    const mean = Array.from({ length: 32 }, (_, j) => pooled.mean([...rest].filter((_, i) => i % 32 === j)));
    expectClose((await without.embed(['glass'], { normalize: false }))[0]!, mean, { absolute: 1e-6 });
    with_.dispose();
    without.dispose();
  });

  test('where texts are cut', async () => {
    const long = 'the boat '.repeat(60);
    const cutAt = async (change: (folder: EncoderFolder) => unknown, length: number) => {
      const encoder = await open('st-mean', change);
      const { ids } = encoder.tokenizer.inputs(long, { maxLength: length });
      expect(ids).toHaveLength(length);
      const { hidden } = await encoder.run([{ ids }]);
      const mean = Array.from({ length: 32 }, (_, j) =>
        pooled.mean([...hidden[0]!.data].filter((_, i) => i % 32 === j)),
      );
      expectClose((await encoder.embed([long], { normalize: false }))[0]!, mean, { absolute: 1e-6 });
      encoder.dispose();
    };
    await cutAt(() => {}, 24);
    // Where its own file is silent, the tokenizer's limit holds, and without one the model's positions.
    const silent = (folder: EncoderFolder) => folder.set('sentence_bert_config.json', { max_seq_length: null });
    await cutAt(silent, 64);
    await cutAt((folder) => silent(folder).set('tokenizer_config.json', { model_max_length: 30 }), 30);
    await cutAt((folder) => silent(folder).set('tokenizer_config.json', { model_max_length: 1e30 }), 64);
    await cutAt((folder) => folder.set('sentence_bert_config.json', { max_seq_length: 1000 }), 64);
    await cutAt((folder) => folder.delete('modules.json'), 64);
  });

  // As sentence-transformers 6.2 writes CrossEncoder's folders; before, they had no modules.json.
  test('a cross-encoder is a transformer with a head of classes', async () => {
    const type = 'sentence_transformers.base.modules.transformer.Transformer';
    const modality_config = { text: { method: 'forward', method_output_name: 'logits' } };
    const settings = { transformer_task: 'sequence-classification', modality_config, module_output_name: 'scores' };
    const crossed = (folder: EncoderFolder) =>
      folder
        .write('modules.json', JSON.stringify([{ idx: 0, name: '0', path: '', type }]))
        .set('sentence_bert_config.json', settings)
        .set('config_sentence_transformers.json', {
          model_type: 'CrossEncoder',
          prompts: {},
          default_prompt_name: null,
        });
    const [cross, plain] = [await open('bert-seqcls', crossed), await open('bert-seqcls')];
    const pairs = [{ text: 'the boat', pair: 'glass' }];
    expect(await cross.classify(pairs)).toEqual(await plain.classify(pairs));
    cross.dispose();
    plain.dispose();
  });

  test('lower case, where the folder wants it, but for special tokens', async () => {
    const cased = (folder: EncoderFolder) => {
      const { normalizer, ...rest } = folder.json('tokenizer.json') as { normalizer: object };
      folder.set('tokenizer.json', { ...rest, normalizer: { ...normalizer, lowercase: false } });
      return folder;
    };
    const lower = await open('st-mean', (folder) =>
      cased(folder).set('sentence_bert_config.json', { do_lower_case: true }),
    );
    const plain = await open('st-mean');
    for (const text of ['The LAMP', 'a [MASK] of GLASS']) {
      const [a, b] = [(await lower.embed([text]))[0]!, (await plain.embed([text]))[0]!];
      expectClose(a, b, { absolute: 1e-6 }, text);
    }
    lower.dispose();
    plain.dispose();
  });

  test('many texts: each as alone, in their order, with progress, stopped at any time', async () => {
    const encoder = await open('st-mean');
    const many = Array.from({ length: 150 }, (_, i) => 'the boat and the lamp '.repeat((i * 7) % 5).slice(0, i));
    const seen: number[] = [];
    const all = await encoder.embed(many, { onProgress: ({ done, total }) => seen.push(done, total) });
    expect(seen.at(-2)).toBe(150);
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.filter((_, i) => i % 2 === 0)).toEqual([...seen.filter((_, i) => i % 2 === 0)].sort((a, b) => a - b));
    for (const i of [0, 1, 75, 149]) {
      expectClose(all[i]!, (await encoder.embed([many[i]!]))[0]!, { absolute: 1e-6 }, `text ${i}`);
    }
    for (const stopAt of [0, 1, 100]) {
      const abort = new AbortController();
      if (stopAt === 0) abort.abort(new Error('enough'));
      const onProgress = ({ done }: { done: number }) => done >= stopAt && abort.abort(new Error('enough'));
      await expect(encoder.embed(many, { signal: abort.signal, onProgress })).rejects.toThrow('enough');
    }
    expect(await encoder.embed([])).toEqual([]);
    encoder.dispose();
  });

  test('what is refused', async () => {
    const encoder = await open('st-mean');
    await refused(encoder.embed(['a'], { pooling: 'median' as 'mean' }), 'bad-option', /pooling is "median"/);
    await refused(encoder.embed(['a'], { pooling: [] }), 'bad-option', /pooling/);
    await refused(encoder.embed(['a'], { prompts: 'a' } as object), 'bad-option', /no option "prompts"/);
    await refused(encoder.embed([7] as unknown as string[]), 'bad-option', /texts\[0\] is 7/);
    await refused(encoder.embed(7 as unknown as string[]), 'bad-option', /texts is 7/);
    encoder.dispose();
    await refused(encoder.embed(['a']), 'disposed', /disposed/);
  });
});

describe('heads', () => {
  test('a call without its head says which there is', async () => {
    const encoder = await open('bert-qa');
    await refused(
      encoder.fill('a [MASK]'),
      'bad-option',
      /fill needs a head of masked words, .*a head of answers. Call answer/,
    );
    await refused(encoder.classify(['a']), 'bad-option', /classify needs/);
    await refused(encoder.tag('a'), 'bad-option', /tag needs/);
    encoder.dispose();
    const none = await open('st-mean');
    await refused(none.answer('a', 'b'), 'bad-option', /this model has no head. Call embed, run or trace/);
    none.dispose();
  });

  test('what is too long is refused, or cut where that is wanted', async () => {
    const long = 'the boat '.repeat(80);
    const limited = async (name: string) =>
      loadEncoder((await EncoderFolder.open(name)).source, { ...onCpu, contextLength: 20 });
    const classes = await limited('bert-seqcls');
    await refused(
      classes.classify([long]),
      'context-full',
      /Input 0 has \d+ ids; the model takes 20.*truncation: true/,
    );
    const [cut] = await classes.classify([long], { truncation: true });
    const { ids } = classes.tokenizer.inputs(long, { maxLength: 20 });
    const { logits } = await classes.run([{ ids }]);
    const best = logits![0]!.data.indexOf(Math.max(...logits![0]!.data));
    expect(cut![0]!.label).toBe(classes.config.labels[best]);
    await refused(classes.run([long]), 'context-full', /20/);
    const ids21 = classes.run([{ ids: Array(21).fill(5) }], { truncation: true });
    await refused(ids21, 'context-full', /21 ids.*Ids are run as they are: cut them/);
    expect((await classes.run([long], { truncation: true })).hidden[0]!.shape).toEqual([20, 40]);
    classes.dispose();
    const words = await limited('bert-mlm');
    await refused(words.fill(`${long}[MASK]`, { truncation: true }), 'bad-option', /no mask; expected \[MASK\]/);
    words.dispose();
    const answers = await limited('bert-qa');
    const [found] = await answers.answer('who?', long);
    expect(long.slice(found!.start, found!.end)).toBe(found!.answer);
    await refused(answers.answer(long, 'the boat'), 'context-full', /The question has \d+ ids/);
    await refused(answers.answer('who?', long, { docStride: 19 }), 'bad-option', /docStride is 19; expected less than/);
    await refused(
      answers.answer('who?', long, { maxSeqLen: 21 }),
      'bad-option',
      /maxSeqLen is 21; expected at most 20/,
    );
    answers.dispose();
  });

  test('answers: none, and windows that overlap find what each finds', async () => {
    const encoder = await open('bert-qa');
    const context = 'She wrote the letter twice, folded it once, and never sent it at all.';
    const all = await encoder.answer('Who wrote it?', context, { topK: 1000, handleImpossibleAnswer: true });
    const none = all.filter(({ answer }) => answer === '');
    expect(none).toHaveLength(1);
    expect(none[0]).toMatchObject({ start: 0, end: 0 });
    expect(all.map(({ score }) => score)).toEqual(all.map(({ score }) => score).sort((a, b) => b - a));
    for (const { answer, start, end } of all) expect(context.slice(start, end)).toBe(answer);
    const parts = await encoder.answer('Who wrote it?', context, { topK: 3, alignToWords: false, maxAnswerLen: 1 });
    for (const { answer, start, end } of parts) expect(context.slice(start, end)).toBe(answer);
    expect(await encoder.answer('Who?', '')).toEqual([]);
    encoder.dispose();
  });

  test('fill: targets, several masks, tokens as they are spelled', async () => {
    const encoder = await open('roberta-mlm');
    const masks = await encoder.fill('a <mask> of the <mask>, again', { topK: 2 });
    expect(masks).toHaveLength(2);
    expect(masks[0]![0]).toMatchObject({ id: 102, token: '¥' });
    expect(masks[1]![0]!.text).toBe('a<mask> of theO, again');
    const only = await encoder.fill('a <mask>', { targets: ['Ġthe', 'glass'] });
    expect(only[0]!.map(({ token }) => token).sort()).toEqual(['g', 'Ġthe'].sort());
    await refused(encoder.fill('no blank'), 'bad-option', /Input 0 has no mask; expected <mask>/);
    encoder.dispose();
  });

  test('classes: several at once, one number, none of the scores', async () => {
    const as = (problem_type: string) => open('bert-seqcls', (folder) => folder.set('config.json', { problem_type }));
    const text = 'The lamp in the window was lit.';
    const one = await as('single_label_classification');
    const { data } = (await one.run([text])).logits![0]!;
    const scoresOf = async (encoder: typeof one) => {
      const [found] = await encoder.classify(text);
      encoder.dispose();
      return encoder.config.labels.map((label) => found!.find((entry) => entry.label === label)!.score);
    };
    const total = data.reduce((sum, logit) => sum + Math.exp(logit), 0);
    expectClose(
      await scoresOf(one),
      [...data].map((logit) => Math.exp(logit) / total),
      { absolute: 1e-6 },
    );
    const several = await scoresOf(await as('multi_label_classification'));
    expectClose(
      several,
      [...data].map((logit) => 1 / (1 + Math.exp(-logit))),
      { absolute: 1e-6 },
    );
    expectClose(await scoresOf(await as('regression')), [...data], { absolute: 1e-6 });
  });
});

describe('run, trace and profile', () => {
  test('pairs are read as the tokenizer reads them, and types are kept where the model knows them', async () => {
    const bert = await open('bert-mlm');
    const pair = { text: 'the lamp', pair: 'was lit' };
    const { ids, types } = bert.tokenizer.inputs(pair.text, { pair: pair.pair });
    expect(types).toContain(1);
    const inputs = bert.tokenizer.inputs(pair.text, { pair: pair.pair });
    const [a, b, c] = (await bert.run([pair, { ids, types }, inputs])).hidden;
    expectClose(a!.data, b!.data, { absolute: 1e-6 });
    expectClose(a!.data, c!.data, { absolute: 1e-6 });
    const [trace, same] = [await bert.trace([pair], { capture: ['hidden'] }), await bert.trace({ ids, types })];
    expectClose(trace.get('hidden')!.data, a!.data, { absolute: 1e-6 });
    expectClose(trace.logits.data, same.logits.data, { absolute: 1e-6 });
    expect(trace.get('logits')).toBe(trace.logits);
    const four = await bert.trace(pair, { capture: ['blocks.0.attn.q.hook_out', 'blocks.0.attn.hook_q'] });
    expect(four.get('blocks.0.attn.q.hook_out')).toEqual(four.get('blocks.0.attn.hook_q'));
    bert.dispose();
    const distil = await open('distilbert-seqcls');
    expect((await distil.run([pair])).logits).toHaveLength(1);
    distil.dispose();
  });

  test('what is refused', async () => {
    const encoder = await open('bert-mlm');
    const wrong = (input: unknown, message: RegExp) =>
      refused(encoder.run([input as EncoderIds]), 'bad-option', message);
    await wrong({ ids: [311] }, /ids 311; expected integers from 0 to 310/);
    await wrong({ ids: [2], types: [2] }, /types 2; expected integers from 0 to 1/);
    await wrong({ ids: [2, 3], mask: [1] }, /1 mask for 2 ids/);
    await wrong({ ids: [2], mask: [0] }, /no id that its mask keeps/);
    await wrong({ ids: [] }, /no id that its mask keeps/);
    await wrong({ ids: [2], typo: [0] }, /has "typo" beside ids; expected ids, types, mask alone/);
    await wrong({ text: 'a', mask: [1, 1, 1] }, /has "mask" beside text; expected text, pair alone/);
    await wrong({ text: 'a', ids: [2] }, /has "text" beside ids/);
    await refused(encoder.fill({ text: '[MASK]', pairs: 'b' } as { text: string }), 'bad-option', /"pairs"/);
    await wrong({ text: 7 }, /is 7; expected a text/);
    await wrong(null, /is null/);
    await refused(encoder.run('text' as unknown as string[]), 'bad-option', /inputs is "text"; expected a list/);
    await refused(encoder.trace(['a', 'b'] as unknown as [string]), 'bad-option', /trace got 2 inputs/);
    await refused(encoder.trace('a', { capture: ['nothing'] }), 'bad-option', /no such tensor/);
    await refused(encoder.profile('a', { repeats: 0 }), 'bad-option', /repeats/);
    encoder.dispose();
    await refused(encoder.run(['a']), 'disposed', /disposed/);
    await refused(encoder.profile('a'), 'disposed', /disposed/);
  });

  test('a profile has every step of the plan, and stops', async () => {
    const encoder = await open('bert-seqcls');
    const { steps, clock } = await encoder.profile('the lamp in the window', { repeats: 2 });
    expect(clock).toBe('wall');
    expect(steps.filter(({ step }) => step.op === 'linear').length).toBeGreaterThan(8);
    for (const { microseconds } of steps) expect(microseconds).toBeGreaterThanOrEqual(0);
    const stopped = encoder.profile('the lamp', { signal: AbortSignal.abort(new Error('enough')) });
    await expect(stopped).rejects.toThrow('enough');
    encoder.dispose();
  });

  test('weights by their names, tensors with their shapes', async () => {
    const encoder = await open('st-mean');
    const names = encoder.weights().map(({ name }) => name);
    expect(names).toContain('encoder.layer.0.attention.self.query.weight');
    const { data, shape } = await encoder.weight('encoder.layer.1.output.dense.bias');
    expect(shape).toEqual([1, 32]);
    expect(data).toHaveLength(32);
    const tensor = encoder.tensors().find(({ name }) => name === 'blocks.0.attn.hook_pattern');
    expect(tensor!.shape).toEqual([4, 'rows', 'context']);
    encoder.dispose();
  });

  test('a load that is stopped at each stage, and progress', async () => {
    const { source } = await EncoderFolder.open('st-mean');
    const stages: string[] = [];
    (await loadEncoder(source, { ...onCpu, onProgress: ({ stage }) => stages.push(stage) })).dispose();
    expect([...new Set(stages)]).toEqual(['config', 'tokenizer', 'weights', 'ready']);
    for (const stage of new Set(stages)) {
      const abort = new AbortController();
      const onProgress = (progress: { stage: string }) => progress.stage === stage && abort.abort(new Error('enough'));
      await expect(loadEncoder(source, { ...onCpu, signal: abort.signal, onProgress })).rejects.toThrow('enough');
    }
  });
});
