import { afterAll, describe, expect, it, vi } from 'vitest';
import { remoteModel, type WorkerEncoder, type WorkerModel, type WorkerVision } from '../../src/embed/model.ts';
import type { Model, Vision } from '../../src/index.ts';
import {
  Adapter,
  attributionPatching,
  type Example,
  type Gradients,
  gradients,
  integratedGradients,
  type Learner,
  loadAdapter,
  type Step,
  type Trained,
  type Training,
  train,
} from '../../src/learn/index.ts';
import type { TrainOptions } from '../../src/learn/options.ts';
import { Trainer } from '../../src/learn/training.ts';
import { connected } from '../learn/far.ts';
import { batchOf, learningOf, openLearner } from '../learn/models.ts';

const connection = connected();
const folder = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const there = {
  decoder: async () =>
    remoteModel(
      connection,
      'load',
      await connection.load('load', folder('tiny-gpt2'), { device: 'cpu' }),
    ) as WorkerModel,
  encoder: async () =>
    remoteModel(
      connection,
      'loadEncoder',
      await connection.load('loadEncoder', folder('families/bert-seqcls'), { device: 'cpu' }),
    ) as WorkerEncoder,
};

const data: Example[] = [{ ids: [5, 6, 7, 8, 9] }, { ids: [11, 12, 13] }, { ids: [300, 301, 302, 303] }];
const options: TrainOptions = { batchSize: 2, epochs: 3, seed: 7, learningRate: 1e-2, targets: ['c_attn'] };

/** All of a run: its steps, but for what a clock says, and what it made. */
async function whole(run: Training): Promise<{ steps: object[]; trained: Trained }> {
  const steps: object[] = [];
  for (;;) {
    const { done, value } = await run.next();
    if (done) return { steps, trained: value };
    const { tokensPerSecond, secondsLeft, ...rest } = value;
    expect(tokensPerSecond).toBeGreaterThan(0);
    expect(secondsLeft).toBeGreaterThanOrEqual(0);
    steps.push(rest);
  }
}
const tensorsOf = (run: Training) => run.adapter!.content.tensors;
const valuesOf = (found: Gradients) => found.names.map((name) => [name, found.get(name)]);

describe('a model in another thread', async () => {
  const [here, far] = [await openLearner('tiny-gpt2'), await there.decoder()];
  afterAll(async () => {
    here.dispose();
    await far.dispose();
  });

  it('gives the gradients that it gives here', async () => {
    const ids = [
      [5, 6, 7],
      [8, 9],
    ];
    const wrt = ['blocks.*.hook_resid_pre', 'weights:*ln_f*'];
    const [a, b] = [here, far].map((model) => gradients(model as Learner, ids, { loss: 'next-token', wrt }));
    expect((await b!).loss).toBe((await a!).loss);
    expect(valuesOf(await b!)).toEqual(valuesOf(await a!));
    expect((await b!).get('blocks.0.hook_resid_pre', 1).shape[0]).toBe(2);
    expect(() => (a as unknown as Gradients).get('nothing')).toThrow();
  });

  it('tells what moved a prediction', async () => {
    const loss = { logit: 5 };
    const each = async (ask: (model: Learner) => Promise<unknown>) => expect(await ask(far)).toEqual(await ask(here));
    await each((model) => integratedGradients(model, [5, 6, 7], { loss, steps: 2 }));
    await each((model) => attributionPatching(model, [5, 6, 7], [5, 9, 7], { loss }));
  });

  it('refuses what is refused here, in the same words', async () => {
    const refusal = (ask: (model: Learner) => Promise<unknown>) =>
      Promise.all([here, far].map((model) => ask(model as Learner).catch((error: Error) => error.message)));
    const asks: ((model: Learner) => Promise<unknown>)[] = [
      (model) => gradients(model, [5, 6], { loss: 'next-token', wrt: ['nothing'] }),
      (model) => gradients(model, [5, 6], { loss: 'next-token', nope: 1 } as never),
      (model) => integratedGradients(model, [5, 6], { loss: 'none' as never }),
      (model) => train(model, [], options).next(),
      (model) => train(model, data, { rank: 0 }).next(),
      (model) => train(model, data, 5 as never).next(),
      (model) => train(model, [{ ids: [1e6, 1] }], options).next(),
    ];
    for (const ask of asks) {
      const [a, b] = await refusal(ask);
      expect(typeof a).toBe('string');
      expect(b).toBe(a);
    }
    const cannot = train(far, data, { evaluate: [() => 1] as never });
    await expect(cannot.next()).rejects.toMatchObject({ code: 'bad-option' });
  });

  it('is taught step by step as it is here, and has the adapter on afterwards', async () => {
    const [a, b] = [await whole(train(here, data, options)), await whole(train(far, data, options))];
    expect(b.steps).toEqual(a.steps);
    expect(b.steps[0]).toMatchObject({ step: 0, steps: 6, inBackground: false });
    expect(b.trained.adapter.content.tensors).toEqual(a.trained.adapter.content.tensors);
    expect(b.trained).toMatchObject({ steps: 6, loss: a.trained.loss });
    const logits = async (model: typeof far) => (await model.trace([5, 6, 7])).logits.data;
    expect(await logits(far)).toEqual(await logits(here as never));
    const on = await logits(far);
    await far.setAdapter(null);
    expect(await logits(far)).not.toEqual(on);
    await far.setAdapter(await loadAdapter(b.trained.adapter.files()));
    expect(await logits(far)).toEqual(on);
    await Promise.all([here.setAdapter(null), far.setAdapter(null)]);
  });

  it('has adapters that cross again at hand', async () => {
    const read = (name: string) => loadAdapter(folder(`learning/tiny-gpt2/adapter-${name}`));
    const [a, b] = [await read('end'), await read('tied-words')];
    const logits = async () => (await far.trace([5, 6, 7])).logits.data;
    await far.setAdapter(a);
    const ofA = await logits();
    await far.setAdapter(b);
    expect(await logits()).not.toEqual(ofA);
    const bound = vi.spyOn(Adapter.prototype, 'parts');
    await far.setAdapter(a);
    expect(await logits()).toEqual(ofA);
    expect(bound).not.toHaveBeenCalled();
    await far.setAdapter(await read('end'));
    expect(bound).toHaveBeenCalled();
    expect(await logits()).toEqual(ofA);
    bound.mockRestore();
    await far.setAdapter(null);
  });

  it('takes no step that nobody asks for, keeps what was learnt when the loop is left, and goes on from there', async () => {
    const all = await whole(train(here, data, options));
    await here.setAdapter(null);
    const run = train(far, data, options);
    expect(await run.memory()).toEqual(await train(here, data, options).memory());
    expect(run.adapter).toBeUndefined();
    expect(() => run.checkpoint()).toThrow('not begun');
    const steps: Step[] = [];
    for await (const step of run) {
      expect(run.checkpoint().step).toBe(step.step + 1);
      steps.push(step);
      if (steps.length === 2) break;
    }
    const checkpoint = run.checkpoint();
    expect(checkpoint.step).toBe(2);
    const trained = (await run.return()).value as Trained;
    expect(trained).toMatchObject({ steps: 2, loss: steps[1]!.loss });
    expect(trained.adapter).toBe(run.adapter);
    const later = await whole(train(far, data, { ...options, resume: checkpoint }));
    expect(later.steps.map((step) => (step as Step).loss)).toEqual(
      all.steps.slice(2).map((step) => (step as Step).loss),
    );
    expect(later.trained.adapter.content.tensors).toEqual(all.trained.adapter.content.tensors);
    const again = train(far, data, {
      ...options,
      steps: 1,
      epochs: undefined,
      resume: later.trained.adapter,
    } as TrainOptions);
    expect((await again.next()).value).toMatchObject({ step: 0 });
    await again.return();
    await far.setAdapter(null);
  });

  it('stops at once when it is aborted, at each stage, and keeps the last whole step', async () => {
    for (const taken of [0, 2]) {
      const stop = new AbortController();
      const run = train(far, data, { ...options, signal: stop.signal });
      for (let i = 0; i < taken; i++) await run.next();
      const learnt = taken ? tensorsOf(run) : undefined;
      const next = run.next();
      stop.abort(new Error('enough'));
      await expect(next).rejects.toThrow('enough');
      expect(run.adapter?.content.tensors).toEqual(learnt);
      if (taken) expect(run.checkpoint().step).toBe(taken);
      expect(await run.next()).toEqual({ done: true, value: undefined });
    }
    expect((await far.trace([5, 6])).logits.data.length).toBeGreaterThan(0);
  });

  it('frees what a run there holds that is aborted between two steps', async () => {
    const dispose = vi.spyOn(Trainer.prototype, 'dispose');
    const stop = new AbortController();
    const run = train(far, data, { ...options, signal: stop.signal });
    await run.next();
    stop.abort(new Error('enough'));
    await expect(run.next()).rejects.toThrow('enough');
    await expect.poll(() => dispose.mock.calls.length).toBe(1);
    dispose.mockRestore();
  });

  it('brings the last finite adapter with a loss that is not finite', async () => {
    const run = train(far, data, { ...options, learningRate: 1e38, maxGradNorm: 1e30, epochs: 5 });
    const error = await whole(run).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'diverged' });
    const { adapter } = error as { adapter: Training['adapter'] };
    expect([...adapter!.content.tensors.values()].every(({ data }) => data.every(Number.isFinite))).toBe(true);
    await far.setAdapter(adapter!);
    await far.setAdapter(null);
  });

  it('learns all weights there; they come when the loop is left', async () => {
    const run = train(far, data, { ...options, targets: undefined, method: 'full' } as TrainOptions);
    await run.next();
    expect(() => run.checkpoint()).toThrow('crosses when the run has ended');
    await run.next();
    await run.return();
    const files = run.adapter!.files();
    expect(Object.keys(files)).toEqual(expect.arrayContaining(['config.json', 'model.safetensors']));
    expect(run.checkpoint().step).toBe(2);
    const stop = new AbortController();
    const aborted = train(far, data, {
      ...options,
      targets: undefined,
      method: 'full',
      signal: stop.signal,
    } as TrainOptions);
    await aborted.next();
    stop.abort(new Error('enough'));
    await expect(aborted.next()).rejects.toThrow('enough');
    expect(aborted.checkpoint().step).toBe(1);
    await far.setAdapter(null);
  });
});

it('a decoder there learns classes, alone and with all weights, and tells them', async () => {
  const [here, far] = [(await openLearner('tiny-gpt2')) as Model, await there.decoder()];
  const classed = data.map((one, i) => ({ ...one, label: i % 2 ? 'odd' : 'even' })) as Example[];
  const texts = [[5, 6, 7], [8]];
  for (const method of ['head', 'full'] as const) {
    const how = { method, steps: 2, batchSize: 2 };
    const [a, b] = [await whole(train(here, classed, how)), await whole(train(far, classed, how))];
    expect(b.steps).toEqual(a.steps);
    expect(b.trained.adapter.content.head).toEqual(a.trained.adapter.content.head);
    expect(await far.classify(texts)).toEqual(await here.classify(texts));
  }
  here.dispose();
  await far.dispose();
});

it('answers are learnt there', async () => {
  const far = remoteModel(
    connection,
    'loadEncoder',
    await connection.load('loadEncoder', folder('families/bert-qa'), { device: 'cpu' }),
  ) as WorkerEncoder;
  const example = { question: 'Who sat?', context: 'The cat sat on the mat.', answer: 'cat' };
  const { steps } = await whole(train(far, [example], { steps: 4, learningRate: 5e-3 }));
  const [first, last] = [steps[0], steps.at(-1)] as [Step, Step];
  expect(last.loss).toBeLessThan(first.loss);
  await far.dispose();
});

it('an encoder there learns a head, is judged, and classifies', async () => {
  const far = await there.encoder();
  const examples = [5, 6, 7, 8].map((id) => ({ ids: [id, id + 1, id + 2], label: id % 2 ? 'odd' : 'even' }));
  const run = train(far, examples, { method: 'head', steps: 4, evaluate: examples, labels: ['odd', 'even'] });
  const { steps, trained } = await whole(run);
  expect((steps.at(-1) as Step).evaluation).toMatchObject({ accuracy: expect.any(Number) });
  expect(trained.adapter.content.head!.labels).toEqual(['odd', 'even']);
  expect(await far.classify(['one two'])).toBeDefined();
  await far.dispose();
});

it('an image encoder there learns from images', async () => {
  const here = (await openLearner('vit')) as Vision;
  const far = remoteModel(
    connection,
    'loadVision',
    await connection.load('loadVision', folder('families/vit'), { device: 'cpu' }),
  );
  const learning = learningOf('vit');
  const shape = [here.config.channels, ...here.config.imageSize];
  const { inputs, lossOf } = batchOf(learning, shape);
  const ask = (model: Learner) =>
    gradients(model, inputs, { loss: lossOf(inputs.length), wrt: ['weights:*classifier*'] });
  expect(valuesOf(await ask(far as WorkerVision))).toEqual(valuesOf(await ask(here)));
  const examples = (inputs as object[]).map((input, i) => ({ ...input, label: i % 2 ? 'odd' : 'even' })) as Example[];
  for (const method of ['head', 'lora'] as const) {
    const how = { method, labels: ['even', 'odd'], steps: 2, batchSize: 2, evaluate: examples };
    const [a, b] = [await whole(train(here, examples, how)), await whole(train(far, examples, how))];
    expect(b.steps).toEqual(a.steps);
    expect(b.trained.adapter.files()).toEqual(a.trained.adapter.files());
    const first = inputs[0] as Parameters<Vision['classify']>[0];
    expect(await far.classify(first)).toEqual(await here.classify(first));
    expect((await far.classify(first)).map(({ label }) => label).sort()).toEqual(['even', 'odd']);
  }
  here.dispose();
  await far.dispose();
});
