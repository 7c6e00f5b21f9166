import { describe, expect, test } from 'vitest';
import { load } from '../../src/run/load.ts';
import { loadEncoder } from '../../src/run/load-encoder.ts';
import { pipeline } from '../../src/run/pipeline.ts';
import type { FillMaskItem } from '../../src/run/pipelines/types.ts';
import { readFixture, readFixtureJson, readModelFile } from '../fixtures.ts';
import { encoderFiles, familyExpected, familyFiles } from '../model/families.ts';

interface Case {
  task: 'fill-mask' | 'image-classification';
  model: string;
  input: unknown;
  options: Record<string, unknown>;
  output: unknown;
}

const tasks = [
  'fill-mask',
  'text-classification',
  'token-classification',
  'question-answering',
  'zero-shot-classification',
  'image-classification',
  'text-generation',
];
const { accept, cases } = await readFixtureJson<{ accept: number; cases: Case[] }>('families/pipelines.json');
const ours = cases.filter(({ task }) => tasks.includes(task));

const filesOf = (name: string) =>
  familyFiles(name, ['config.json', 'model.safetensors', 'preprocessor_config.json', ...encoderFiles]);
/** The file, where an input is an image of its folder. */
const given = async (model: string, input: unknown) =>
  String(input).endsWith('.png') ? new Blob([new Uint8Array(await readFixture(`families/${model}/${input}`))]) : input;

/** Numbers that are no integers are scores: they may differ by so much; everything else is the same. */
function expectLike(found: unknown, expected: unknown, within: number, where = ''): void {
  if (typeof expected === 'number' && !Number.isInteger(expected)) {
    expect(Math.abs((found as number) - expected), `${where}: ${found} for ${expected}`).toBeLessThanOrEqual(within);
  } else if (typeof expected === 'object' && expected !== null) {
    expect(Object.keys(found as object).sort(), where).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) {
      expectLike((found as Record<string, unknown>)[key], value, within, `${where}.${key}`);
    }
  } else expect(found, where).toEqual(expected);
}

describe.each(['cpu', 'wasm'] as const)('tasks as in Python, on %s', (device) => {
  test('there are cases of every task', () => {
    expect(ours).toHaveLength(10 + 14 + 12 + 10 + 3 + 4 + 5);
    expect(new Set(ours.map(({ task }) => task))).toEqual(new Set(tasks));
  });

  test.each([...new Set(ours.map(({ task, model }) => `${task} of ${model}`))])('%s', async (name) => {
    const [task, model] = name.split(' of ') as [Case['task'], string];
    const pipe = await pipeline(task, await filesOf(model), { device });
    for (const { input, options, output } of ours.filter((one) => one.task === task && one.model === model)) {
      const found = await pipe((await given(model, input)) as string, options);
      expectLike(found, output, accept, JSON.stringify([input, options]).slice(0, 100));
    }
    await pipe.dispose();
  });
});

const refused = (call: Promise<unknown>, message: RegExp) =>
  expect(call).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(message) });

describe('transformers.js spelling', () => {
  test('positional arguments, camel case, lists', async () => {
    const answers = await pipeline('question-answering', await filesOf('bert-qa'), { device: 'cpu' });
    const context = 'She wrote the letter twice, folded it once, and never sent it at all.';
    const one = await answers('Who wrote it?', context);
    expectLike(one, { score: 0.0908128026, start: 4, end: 9, answer: 'wrote' }, accept);
    expect(await answers(['Who wrote it?'], [context])).toEqual([one]);
    expect(await answers('Who wrote it?', context, { topK: 3 })).toEqual(
      await answers({ question: 'Who wrote it?', context }, { top_k: 3 }),
    );
    const long = { maxSeqLen: 20, docStride: 4, topK: 2 };
    expect(await answers('Who wrote it?', context, long)).toHaveLength(2);
    const asked = { question: 'Who wrote it?', context };
    await refused(answers({ ...asked, top_k: 3 } as never), /"top_k"; expected question and context/);
    await refused(answers(['Who wrote it?', 'When?'], [context]), /questions: 2, contexts: 1/);
    await refused(answers('Who wrote it?', [context, context]), /questions: 1, contexts: 2/);
    await answers.dispose();

    const classes = await pipeline('zero-shot-classification', await filesOf('bert-seqcls'), { device: 'cpu' });
    const labels = ['boats', 'bread', 'the weather'];
    const [text, template] = ['Masked words are hidden, and the model g', 'It is about {}.'];
    const found = await classes(text, labels, { hypothesisTemplate: template });
    expect(found).toEqual(await classes(text, { candidate_labels: labels.join(', '), hypothesis_template: template }));
    expect(await classes([text], labels, { hypothesis_template: template })).toEqual([found]);
    expect(await classes(text, ` ${labels.join(',, ')},`, { hypothesis_template: template })).toEqual(found);
    await refused(classes(text, labels, { candidate_labels: labels }), /got candidateLabels twice, as an argument/);
    await refused(classes(text, ', '), /candidateLabels is ", "/);
    await classes.dispose();
  });

  test('features: every token, pooled as asked or as the files say, quantised', async () => {
    const features = await pipeline('feature-extraction', await filesOf('st-mean'), { device: 'cpu' });
    const { sentences, accept: within } = await familyExpected('st-mean');
    const texts = sentences!.map(({ text }) => text);
    const wanted = sentences!.map(({ embedding }) => embedding);
    const pooled = await features(texts, { pooling: 'mean', normalize: true });
    expect(pooled.dims).toEqual([texts.length, 32]);
    expect(pooled.type).toBe('float32');
    expectLike(pooled.tolist(), wanted, within.embedding!);
    expect((await features(texts, { pooling: 'auto' })).tolist()).toEqual(pooled.tolist());
    const tokens = await features(texts);
    expect(tokens.dims).toEqual([texts.length, Math.max(...sentences!.map(({ ids }) => ids.length)), 32]);
    const last = await features(texts, { pooling: 'last_token' });
    const rows = tokens.tolist() as number[][][];
    expect(last.tolist()).toEqual(sentences!.map(({ ids }, i) => rows[i]![ids.length - 1]));
    const bits = await features(texts[0]!, { pooling: 'mean', quantize: true, precision: 'ubinary' });
    expect([bits.dims, bits.type]).toEqual([[1, 4], 'uint8']);
    const expected = [0, 1, 2, 3].map((byte) =>
      wanted[0]!.slice(8 * byte, 8 * byte + 8).reduce((sum, value) => 2 * sum + (value > 0 ? 1 : 0), 0),
    );
    expect([...bits.data]).toEqual(expected);
    const signed = await features(texts[0]!, { pooling: 'mean', quantize: true });
    expect([...signed.data]).toEqual(expected.map((byte) => byte - 128));
    await features.dispose();
  });

  test('images: one or a list, classes and features', async () => {
    const files = await filesOf('vit');
    const [first, second] = await Promise.all(['image0.png', 'image2.png'].map((name) => given('vit', name)));
    const images = [first, second] as Blob[];
    const classify = await pipeline('image-classification', files, { device: 'cpu' });
    const all = await classify(images, { top_k: null });
    expect(all.map((classes) => classes.length)).toEqual([7, 7]);
    expect(await classify(images[1]!, { topK: 7 })).toEqual(all[1]);
    const logits = await classify(images[0]!, { function_to_apply: 'none', top_k: 1 });
    expectLike(logits, [{ label: 'boat', score: 5.52984426 }], 2e-4);
    await classify.dispose();
    const features = await pipeline('image-feature-extraction', files, { device: 'cpu' });
    const tensor = await features(images);
    expect(tensor.dims).toEqual([2, 26, 48]);
    expect(tensor.data.slice(26 * 48, 27 * 48)).toEqual(await features.model.features(images[1]!));
    await expect(features(images[0]!, { pool: true })).rejects.toMatchObject({ code: 'bad-option' });
    await features.dispose();
  });

  test('a text that goes on keeps the space before its first word', async () => {
    const model = await load(await filesOf('llama-gqa'), { device: 'cpu' });
    const { text } = await model.complete('The engine runs in the browser', { maxNewTokens: 8 });
    expect(text.startsWith(' n')).toBe(true);
    const { text: begun } = await model.complete('', { maxNewTokens: 8 });
    expect(begun.startsWith(' ')).toBe(false);
    model.dispose();
  });

  test('text-generation is what load writes', async () => {
    const files = await Promise.all(
      ['config.json', 'model.safetensors'].map(
        async (name) => new File([new Uint8Array(await readModelFile(`tiny-tales/${name}`))], name),
      ),
    );
    const model = await load(files, { device: 'cpu' });
    const write = await pipeline('text-generation', files, { device: 'cpu', dtype: 'fp32' });
    const { text } = await model.complete('One day', { maxNewTokens: 12 });
    expect(await write('One day', { max_new_tokens: 12 })).toEqual([{ generated_text: `One day${text}` }]);
    expect(await write(['One day'], { max_new_tokens: 12, return_full_text: false })).toEqual([
      [{ generated_text: text }],
    ]);
    const drawn = { doSample: true, maxNewTokens: 8, seed: 7, temperature: 0.8 };
    const { text: other } = await model.complete('One day', { maxNewTokens: 8, seed: 7, temperature: 0.8, topK: 50 });
    expect(await write('One day', drawn)).toEqual([{ generated_text: `One day${other}` }]);
    const beams = { num_beams: 3, num_return_sequences: 2, max_new_tokens: 6 };
    expect(await write('One day', beams)).toHaveLength(2);
    const chat = [{ role: 'user', content: 'One day' }];
    const template = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
    expect(await write(chat, { chat_template: template, max_new_tokens: 12 })).toEqual([
      { generated_text: [...chat, { role: 'assistant', content: text }] },
    ]);
    model.dispose();
    await write.dispose();
  });

  test('where the files draw, a call changes how, and what it leaves open is as they say', async () => {
    const drawing = JSON.stringify({ do_sample: true, temperature: 0.4, top_k: 9 });
    const files = [...(await filesOf('llama-gqa')), new File([drawing], 'generation_config.json')];
    const model = await load(files, { device: 'cpu' });
    const write = await pipeline('text-generation', files, { device: 'cpu' });
    const common = { seed: 5, return_full_text: false, max_new_tokens: 12 };
    for (const [given, options] of [
      [{}, {}],
      [{ do_sample: true }, {}],
      [
        { temperature: 1.5, top_k: 40 },
        { temperature: 1.5, topK: 40 },
      ],
      [{ do_sample: true, top_k: 2 }, { topK: 2 }],
      [{ do_sample: false, top_k: 2 }, { temperature: 0 }],
    ]) {
      const { ids } = await model.complete('The engine', { seed: 5, maxNewTokens: 12, ...options });
      const text = model.tokenizer.decode(ids, { special: false, within: true });
      expect(await write('The engine', { ...common, ...given }), JSON.stringify(given)).toEqual([
        { generated_text: text },
      ]);
    }
    await refused(
      write('The engine', { do_sample: true, num_beams: 2 }),
      /temperature is 0.4; expected 0 with numBeams/,
    );
    model.dispose();
    await write.dispose();
  });

  // transformers 4.57: pipeline('fill-mask', 'bert-mlm')('The [MASK] and the [MASK].', targets=['[PAD]', 'the'])
  test('a pad that is put for a mask is not shown', async () => {
    const fill = await pipeline('fill-mask', await filesOf('bert-mlm'), { device: 'cpu' });
    const found = await fill('The [MASK] and the [MASK].', { targets: ['[PAD]', 'the'] });
    const [first, second] = found as FillMaskItem[][];
    expect([...first!, ...second!].map((one) => [one.token_str, one.sequence])).toEqual([
      ['[PAD]', '[CLS] the and the [MASK]. [SEP]'],
      ['the', '[CLS] the the and the [MASK]. [SEP]'],
      ['[PAD]', '[CLS] the [MASK] and the. [SEP]'],
      ['the', '[CLS] the [MASK] and the the. [SEP]'],
    ]);
    await refused(fill('The [MASK].', { targets: [] }), /targets is \[\]; expected words/);
    await fill.dispose();
  });

  test('special tokens are no part of what is written, in a chat neither', async () => {
    const write = await pipeline('text-generation', await filesOf('llama-gqa'), { device: 'cpu' });
    const { specialIds, vocabSize, eosId } = write.model.tokenizer;
    const [special] = [...specialIds].filter((id) => id !== eosId);
    // Nothing else may be written.
    const bad_words_ids = Array.from({ length: vocabSize }, (_, id) => [id]).filter(([id]) => id !== special);
    const options = { bad_words_ids, max_new_tokens: 3, return_full_text: false };
    expect(await write('The engine', options)).toEqual([{ generated_text: '' }]);
    const chat = [{ role: 'user', content: 'The engine' }];
    const written = await write(chat, { ...options, chat_template: '{{ messages[0].content }}' });
    expect(written).toEqual([{ generated_text: [...chat, { role: 'assistant', content: '' }] }]);
    await write.dispose();
  });

  test('what is refused', async () => {
    const files = await filesOf('bert-seqcls');
    await refused(pipeline('ocr' as 'ner', files), /no task "ocr"; expected one of .*fill-mask/);
    await refused(pipeline('ner', undefined as unknown as File[]), /no source.*no default model/);
    await refused(pipeline('ner', ''), /no source/);
    await refused(
      pipeline('fill-mask', files, { device: 'cpu' }),
      /fill needs a head of masked words.*has a head of classes/,
    );
    await refused(pipeline('ner', files, { dtype: 'int8' as 'q8' }), /dtype is "int8"/);
    await refused(pipeline('ner', files, null as unknown as object), /its options as an object, found null/);
    const pipe = await pipeline('sentiment-analysis', files, { device: 'cpu' });
    await refused(pipe('a', 5 as never), /its options as an object, found 5/);
    await refused(pipe({ text: 'a', text_pairs: 'b' } as never), /text_pairs/);
    await refused(pipe('a', { top_n: 2 }), /text-classification has no option "topN"/);
    await refused(pipe('a', { top_k: 2, topK: 3 }), /topK twice/);
    await refused(pipe('a', { function_to_apply: 'relu' }), /functionToApply is "relu"/);
    await refused(pipe(7 as unknown as string), /Input 0 is 7/);
    await refused(pipe({ text: 'a', other: 'b' } as unknown as string), /"other"/);
    await refused(pipe({ text: 'a', pair: 'b', text_pair: 'c' } as unknown as string), /"pair"/);
    await refused(pipe([['a', 'b']] as unknown as string[]), /Input 0 is \["a", "b"\]/);
    await pipe.dispose();
    await expect(pipe('a')).rejects.toMatchObject({ code: 'disposed' });
  });

  test('progress in its terms', async () => {
    const seen: string[] = [];
    const files = await filesOf('bert-qa');
    const pipe = await pipeline('question-answering', files, {
      device: 'cpu',
      progress_callback: ({ status, progress }) => seen.push(`${status} ${progress}`),
    });
    expect(seen.at(-1)).toBe('ready 100');
    await pipe.dispose();
    const encoder = await loadEncoder(files, { device: 'cpu' });
    expect(encoder.config.head).toBe('answers');
    encoder.dispose();
  });
});
