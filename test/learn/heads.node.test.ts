import { afterAll, describe, expect, it } from 'vitest';
import { type Encoder, load, loadEncoder, loadVision, type Model, type Vision } from '../../src/index.ts';
import {
  type Adapter,
  type Example,
  gradients,
  type Learner,
  loadAdapter,
  type Step,
  type TrainOptions,
  train,
} from '../../src/learn/index.ts';
import { insides } from '../../src/run/insides.ts';
import { expectClose } from '../close.ts';
import { testHeads } from './heads-case.ts';
import { openLearner } from './models.ts';

testHeads('cpu');
testHeads('wasm');

const folder = (name: string) => new URL(`../fixtures/${name}/`, import.meta.url);
const tales = new URL('../../public/models/tiny-tales/', import.meta.url);
const digits = new URL('../../public/models/tiny-digits/', import.meta.url);

async function taught(model: Learner, examples: readonly Example[], options: TrainOptions) {
  const training = train(model, examples, { schedule: 'constant', batchSize: 4, ...options });
  const steps: Step[] = [];
  for await (const step of training) steps.push(step);
  return { steps, training, adapter: training.adapter!, files: training.adapter!.files() };
}

/** What only a run of `train` makes: an adapter's files as transformers' peft would leave them. */
const ofPeft = ({ 'head.json': _, 'head.safetensors': __, ...files }: ReturnType<Adapter['files']>) => files;
const configOf = (files: ReturnType<Adapter['files']>) =>
  JSON.parse(new TextDecoder().decode(files['adapter_config.json'])) as Record<string, unknown>;

describe('a decoder', async () => {
  const model = (await load(tales, { device: 'wasm' })) as Model;
  afterAll(() => model.dispose());
  const texts = ['The dog barked.', 'It rained all day.', 'The cat slept.', 'The storm was loud.'];
  const examples = texts.map((text, i): Example => ({ text, label: i % 2 === 0 ? 'animals' : 'weather' }));
  const scoresOf = async (of: Model = model) =>
    (await of.classify(texts)).map((list) => list.find(({ label }) => label === 'weather')!.score);

  it('learns a head over its last state, which classifies and is loaded again; its words stay', async () => {
    const written = async () => (await model.complete('Once upon a time', { maxNewTokens: 4, temperature: 0 })).text;
    const before = await written();
    await expect(model.classify(texts)).rejects.toMatchObject({ code: 'bad-option', message: /none/ });
    const { steps, files } = await taught(model, examples, {
      ...{ method: 'head', learningRate: 0.1, steps: 30, evaluate: examples },
    });
    expect(steps[0]!.loss).toBeCloseTo(Math.log(2), 5);
    expect(steps.at(-1)!.loss).toBeLessThan(0.3);
    const scores = await scoresOf();
    expect(scores.map((score) => +(score > 0.5))).toEqual(steps.at(-1)!.evaluation!.predicted);
    expect(await written()).toBe(before);
    expect((await model.classify(texts[1]!))[0]![0]!.label).toBe('weather');
    expect(configOf(files)).toMatchObject({ modules_to_save: ['score'], task_type: 'SEQ_CLS' });
    await model.setAdapter(null);
    await expect(model.classify(texts)).rejects.toMatchObject({ code: 'bad-option' });
    await model.setAdapter(await loadAdapter(files));
    expect(await scoresOf()).toEqual(scores);
    // What peft alone keeps of it has no names of classes.
    const again = await loadAdapter(files);
    await model.setAdapter(again);
    const { plan } = model[insides].engine;
    await model.setAdapter(await loadAdapter(ofPeft(files)));
    const [best] = (await model.classify(texts[1]!))[0]!;
    expect([best!.label, best!.score]).toEqual(['LABEL_1', scores[1]]);
    // Swapped back nothing is made anew.
    await model.setAdapter(again);
    expect(model[insides].engine.plan).toBe(plan);
    await model.setAdapter(null);
  });

  it('learns products with a head; goes on from a checkpoint and from its adapter; its gradient is the head’s', async () => {
    const options = { learningRate: 1e-3, batchSize: 2, seed: 3, rank: 2 };
    const { steps, files, adapter } = await taught(model, examples, { ...options, epochs: 3 });
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss);
    expect(Object.keys(files).length).toBe(4);
    const scores = await scoresOf();
    const first = train(model, examples, { ...options, schedule: 'constant', epochs: 3 });
    for (let i = 0; i < 3; i++) await first.next();
    const resume = structuredClone(first.checkpoint());
    await first.return();
    const later = await taught(model, examples, { ...options, epochs: 3, resume });
    expect(later.steps.map(({ loss }) => loss)).toEqual(steps.slice(3).map(({ loss }) => loss));
    await model.setAdapter(await loadAdapter(files));
    expect(await scoresOf()).toEqual(scores);
    const found = await gradients(model, model.tokenizer.encode(texts[0]!), {
      loss: { labels: ['animals'] },
      wrt: ['blocks.0.hook_resid_post'],
    });
    expectClose([found.loss], [-Math.log(1 - scores[0]!)], { absolute: 1e-4 });
    // Words are its own logits still, head or none.
    const words = await gradients(model, texts[0], { loss: 'next-token', wrt: ['blocks.0.hook_resid_post'] });
    const { perplexity } = await model.score(texts[0]!);
    expectClose([words.loss], [Math.log(perplexity)], { absolute: 1e-4 });
    const { value } = await train(model, examples, { ...options, batchSize: 4, steps: 1, resume: adapter }).next();
    const loss = scores.reduce((sum, score, i) => sum - Math.log(i % 2 ? score : 1 - score), 0) / 4;
    expectClose([(value as Step).loss], [loss], { absolute: 1e-4 });
    const others = { ...options, resume: adapter, labels: ['weather', 'animals'] };
    await expect(train(model, examples, others).next()).rejects.toMatchObject({
      code: 'bad-option',
      message: /labels/,
    });
    await model.setAdapter(null);
  });

  it('tells several classes at once where labels are lists', async () => {
    const several = texts.map((text, i): Example => ({ text, label: [i % 2, 1] }));
    const { steps } = await taught(model, several, {
      method: 'head',
      labels: ['wet', 'text'],
      learningRate: 0.1,
      steps: 40,
    });
    expect(steps[0]!.loss).toBeCloseTo(Math.log(2), 5);
    const [dry, wet] = await model.classify([texts[0]!, texts[1]!]);
    const scoreOf = (list: typeof dry, name: string) => list!.find(({ label }) => label === name)!.score;
    expect([scoreOf(dry, 'text') > 0.5, scoreOf(dry, 'wet') > 0.5]).toEqual([true, false]);
    expect([scoreOf(wet, 'text') > 0.5, scoreOf(wet, 'wet') > 0.5]).toEqual([true, true]);
    await model.setAdapter(null);
  });
});

describe('an image encoder', async () => {
  const model = (await loadVision(digits, { device: 'wasm' })) as Vision;
  afterAll(() => model.dispose());
  const [channels, ...size] = [model.config.channels, ...model.config.imageSize];
  const drawn = (i: number, isUpright: boolean) => {
    const pixels = new Float32Array(channels * size[0]! * size[1]!);
    for (let at = 4; at < 24; at++) pixels[isUpright ? at * size[1]! + 8 + i : (8 + i) * size[1]! + at] = 1;
    return { pixels, shape: [channels, ...size] };
  };
  const images = [0, 3, 6, 9].flatMap((i) => [drawn(i, true), drawn(i, false)]);
  const examples = images.map((image, i): Example => ({ ...image, label: i % 2 === 0 ? 'upright' : 'lying' }));
  const told = async () => Promise.all(images.map(async (image) => (await model.classify(image))[0]!.label));
  const right = images.map((_, i) => (i % 2 === 0 ? 'upright' : 'lying'));

  it.each(['head', 'lora'] as const)('that knows digits learns new classes from pixels, %s', async (method) => {
    const own = (await model.classify(images[0]!))[0]!.label;
    const labels = ['upright', 'lying'];
    const { steps, files } = await taught(model, examples, {
      ...{ method, labels, learningRate: method === 'head' ? 0.1 : 3e-3, steps: 40, evaluate: examples },
    });
    expect(steps[0]!.loss).toBeCloseTo(Math.log(2), 5);
    expect(steps.at(-1)!.evaluation).toMatchObject({ accuracy: 1, predicted: [0, 1, 0, 1, 0, 1, 0, 1] });
    expect(await told()).toEqual(right);
    expect(configOf(files)).toMatchObject({ modules_to_save: ['classifier'] });
    await model.setAdapter(null);
    expect((await model.classify(images[0]!))[0]!.label).toBe(own);
    await model.setAdapter(await loadAdapter(files));
    expect(await told()).toEqual(right);
    await model.setAdapter(await loadAdapter(ofPeft(files)));
    expect(await told()).toEqual(right.map((name) => `LABEL_${labels.indexOf(name)}`));
    await model.setAdapter(null);
  });

  it('learns the classes that it has with its own head, which is saved', async () => {
    const known = images.map((image, i): Example => ({ ...image, label: String(i % 2) }));
    const { files, adapter } = await taught(model, known, { rank: 2, steps: 2 });
    expect(configOf(files)).toMatchObject({ modules_to_save: ['classifier'] });
    expect(adapter.content.head).toBeUndefined();
    expect([...adapter.content.tensors.keys()]).toContain('base_model.model.classifier.weight');
    await model.setAdapter(null);
  });
});

describe('a task’s own head', () => {
  const label = { label: 1 };
  it.each<[name: string, example: object, saved: string[]]>([
    ['families/bert-seqcls', label, ['classifier']],
    ['families/distilbert-seqcls', label, ['classifier', 'pre_classifier']],
    ['families/roberta-seqcls', label, ['classifier']],
    ['families/bert-tokcls', { labels: [0, 1, 0] }, ['classifier']],
    ['families/bert-qa', { start: 1, end: 2 }, ['qa_outputs']],
    ['families/bert-mlm', { labels: [5, -100, 6] }, []],
  ])('of %s is learnt with its products, and saved', async (name, target, saved) => {
    const model = await loadEncoder(folder(name), { device: 'cpu' });
    const examples = [{ ids: [5, 6, 7], ...target }] as Example[];
    const { files, adapter } = await taught(model, examples, { rank: 2, steps: 2 });
    expect([...((configOf(files).modules_to_save as string[] | null) ?? [])].sort()).toEqual(saved);
    const base = await taught(model, examples, { rank: 2, steps: 1, learningRate: 1e-12 });
    for (const [tensor, { data }] of adapter.content.tensors) {
      if (!/classifier|qa_outputs/.test(tensor)) continue;
      expect(data, tensor).not.toEqual(base.adapter.content.tensors.get(tensor)!.data);
      // At the common rate: Adam's first steps are as long as the rate.
      const moved = data.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - base.adapter.content.tensors.get(tensor)!.data[i]!)),
        0,
      );
      expect(moved, tensor).toBeLessThan(2.5e-3);
    }
    await model.setAdapter(await loadAdapter(files));
    model.dispose();
  });
});

describe('answers', async () => {
  const model = (await loadEncoder(folder('families/bert-qa'), { device: 'cpu' })) as Encoder;
  afterAll(() => model.dispose());
  const context = 'The cat sat on the mat.';
  const ask = (answer: unknown) => ({ question: 'Who sat?', context, answer }) as Example;

  it('are learnt by their words or their place, and given afterwards', async () => {
    const byWords = await taught(model, [ask('cat')], { learningRate: 5e-3, steps: 12 });
    expect(byWords.steps.at(-1)!.loss).toBeLessThan(0.5 * byWords.steps[0]!.loss);
    expect((await model.answer('Who sat?', context))[0]!.answer).toBe('cat');
    await model.setAdapter(null);
    const lossOf = async (example: Example, more: TrainOptions = {}) =>
      (await taught(model, [example], { steps: 1, ...more })).steps[0]!.loss;
    expect(await lossOf(ask({ start: 4, end: 7 }))).toBe(byWords.steps[0]!.loss);
    const { ids, types, offsets, sequence } = model.tokenizer.inputs('Who sat?', { pair: context });
    const at = [...ids.keys()].filter((i) => sequence[i] === 1 && offsets[i]![0] >= 4 && offsets[i]![1] <= 7);
    const places = { start: at[0]!, end: at.at(-1)! };
    expect(await lossOf({ ids, types, ...places })).toBe(byWords.steps[0]!.loss);
    await model.setAdapter(null);
    const loss = { labels: [[places.start, places.end]] };
    expect((await gradients(model, { ids, types }, { loss, wrt: ['weights:qa_outputs*'] })).loss).toBeCloseTo(
      byWords.steps[0]!.loss,
      6,
    );
    await model.setAdapter(null);
    // No answer is told by the first id; so is one that was cut away.
    const none = await lossOf({ ids, types, start: 0, end: 0 });
    await model.setAdapter(null);
    expect(await lossOf(ask(''))).toBe(none);
    await model.setAdapter(null);
    const long = { question: 'Who?', context: `${'cat '.repeat(200)}end`, answer: 'end' } as Example;
    expect(await lossOf(long, { truncation: true })).toBeGreaterThan(0);
    await model.setAdapter(null);
  });

  it.each<[Example, RegExp]>([
    [ask('dog'), /Example 0.*dog/],
    [ask({ start: 7, end: 4 }), /Example 0/],
    [ask(5), /Example 0.*5/],
    [{ ids: [5, 6, 7], start: 2, end: 1 }, /\[2, 1\]/],
    [{ ids: [5, 6, 7], start: 1, end: 3 }, /\[1, 3\]/],
    [{ text: 'Who sat?' } as Example, /question, context, answer/],
    [{ ids: [5, 6], label: 'cat' }, /cat/],
  ])('%j is refused', async (example, message) => {
    await expect(train(model, [example]).next()).rejects.toMatchObject({ code: 'bad-option', message });
  });
});

it('all weights with a head that is made give a whole model and its head', async () => {
  const model = (await openLearner('llama-gqa', 'cpu')) as Model;
  const examples: Example[] = [1, 2, 3, 4].map((i) => ({ ids: [4 + i, 9, 20 + i], label: i % 2 ? 'odd' : 'even' }));
  const { files } = await taught(model, examples, { method: 'full', learningRate: 1e-3, steps: 4 });
  const scores = await model.classify([
    [5, 9, 21],
    [6, 9, 22],
  ]);
  const { 'head.json': json, 'head.safetensors': tensors, ...whole } = files;
  const alone = await load(
    Object.entries(whole).map(([name, bytes]) => new File([bytes], name)),
    { device: 'cpu' },
  );
  await alone.setAdapter(await loadAdapter({ 'head.json': json!, 'head.safetensors': tensors! }));
  const again = await alone.classify([
    [5, 9, 21],
    [6, 9, 22],
  ]);
  expectClose(
    again.map(([best]) => best!.score),
    scores.map(([best]) => best!.score),
    { absolute: 1e-5 },
  );
  model.dispose();
  alone.dispose();
});

it('learns a head anew of the classes that a model has, named by their indices', async () => {
  const model = (await openLearner('bert-seqcls')) as Encoder;
  const { labels } = model.config;
  const indexed = [2, 0, 1].map((label, i): Example => ({ ids: [5 + i, 6], label }));
  const named = indexed.map((one) => ({ ...one, label: labels[(one as { label: number }).label]! }));
  const of = async (examples: Example[], more: TrainOptions = {}) => {
    const { steps } = await taught(model, examples, { method: 'head', steps: 2, ...more });
    return steps.map(({ loss }) => loss);
  };
  expect(await of(indexed)).toEqual(await of(named, { labels }));
  expect((await model.classify('a'))[0]!.map(({ label }) => label).sort()).toEqual([...labels].sort());
  model.dispose();
});

it('refuses heads that cannot be, in words', async () => {
  const [writer, pair, image] = await Promise.all([
    openLearner('tiny-gpt2'),
    openLearner('bart'),
    loadVision(folder('families/vit'), { device: 'cpu' }),
  ]);
  const pixels = {
    pixels: new Float32Array(image.config.channels * image.config.imageSize[0] * image.config.imageSize[1]),
    shape: [image.config.channels, ...image.config.imageSize],
  };
  const labels = ['a', 'b'];
  const refused: [Learner, Example[], TrainOptions, RegExp][] = [
    [writer, [{ ids: [5, 6], label: 'a' }], {}, /1 classes by name/],
    [writer, [{ ids: [5, 6], label: 'c' }], { labels }, /Example 0.*"c".*"a"/],
    [writer, [{ ids: [5, 6] }], { method: 'head', labels }, /text, label/],
    [writer, [{ ids: [5, 6], label: 'a' }, { ids: [5, 6] }], { labels }, /Example 1/],
    [writer, [{ ids: [5, 6], label: 2 }], { labels }, /Example 0.*2/],
    [writer, [{ text: 'a', pair: 'b', label: 'a' }], { labels }, /Example 0/],
    [writer, [{ text: 'a', lable: 'a' } as Example], {}, /Example 0.*lable/],
    [writer, [{ ids: [5, 6], label: [1, 2] }], { labels }, /2 numbers, each 0 or 1/],
    [pair, [{ source: [5, 6], target: [7] }], { labels }, /encoder-decoder/],
    [image, [{ ...pixels, label: 'nothing' }], {}, /nothing/],
    [image, [{ ...pixels }] as never, { labels }, /pixels, shape, label/],
  ];
  for (const [of, examples, options, message] of refused) {
    await expect(train(of, examples, options).next()).rejects.toMatchObject({ code: 'bad-option', message });
  }
  const vision = await loadVision(digits, { device: 'cpu' });
  const { adapter } = await taught(writer, [{ ids: [5, 6], label: 0 }], { method: 'head', labels, steps: 1 });
  await expect(vision.setAdapter(adapter)).rejects.toMatchObject({ code: 'bad-checkpoint', message: /96 features/ });
  await expect(pair.setAdapter(adapter)).rejects.toMatchObject({ code: 'bad-option' });
  for (const one of [writer, pair, image, vision]) one.dispose();
});
