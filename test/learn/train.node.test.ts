import { describe, expect, it } from 'vitest';
import { load, type Model } from '../../src/index.ts';
import { Adapter, type Example, type Learner, loadAdapter, type Step, train } from '../../src/learn/index.ts';
import type { TrainOptions } from '../../src/learn/options.ts';
import { insides } from '../../src/run/insides.ts';
import { expectClose } from '../close.ts';
import { fixtureAdapter } from './adapter-fixtures.ts';
import { learningOf, openLearner } from './models.ts';
import { openSeeded, seeded } from './seeded-case.ts';
import { allRuns, courseOf, testDivergence, testRuns } from './train-case.ts';

testRuns('cpu', allRuns);
testRuns('wasm', allRuns);
testDivergence('cpu');
testDivergence('wasm');

/** A model of several blocks, by its name or by the folder of a seeded one. */
const manyBlocks = (name: string) =>
  seeded[name]
    ? { batch: seeded[name].batch, open: (device: 'cpu' | 'wasm') => openSeeded(name, device) }
    : { batch: learningOf(name).batch, open: (device: 'cpu' | 'wasm') => openLearner(name, device) };

describe('a run', () => {
  const data: Example[] = [
    { ids: [5, 6, 7, 8, 9] },
    { ids: [11, 12, 13] },
    { ids: [300, 301, 302, 303] },
    { ids: [40, 41, 42, 43, 44, 45, 46] },
    { ids: [9, 8, 7] },
  ];
  const options: TrainOptions = { batchSize: 2, epochs: 3, seed: 7, learningRate: 1e-2, targets: ['c_attn', 'c_fc'] };
  const lossesOf = async (training: AsyncIterable<Step>) => {
    const losses: number[] = [];
    for await (const { loss } of training) losses.push(loss);
    return losses;
  };

  it('leaves the model with the adapter on, which tells what was learnt, and the base as it was', async () => {
    const model = (await openLearner('tiny-gpt2')) as Model;
    const text = [5, 6, 7, 8, 9];
    const { logits: before } = await model.trace(text);
    const training = train(model, data, options);
    const losses = await lossesOf(training);
    expect(losses.length).toBe(9);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    const { logits: on } = await model.trace(text);
    expect(on.data).not.toEqual(before.data);
    await model.setAdapter(null);
    expect((await model.trace(text)).logits.data).toEqual(before.data);
    await model.setAdapter(await loadAdapter(training.adapter!.files()));
    expectClose((await model.trace(text)).logits.data, on.data, { relative: 1e-6 });
    model.dispose();
  });

  it('has the same losses again, and goes on from a checkpoint as if it had not stopped', async () => {
    const model = await openLearner('tiny-gpt2');
    const whole = await lossesOf(train(model, data, options));
    await model.setAdapter(null);
    const first = train(model, data, options);
    const begun: number[] = [];
    for await (const { loss } of first) {
      begun.push(loss);
      if (begun.length === 4) break;
    }
    expect(begun).toEqual(whole.slice(0, 4));
    const checkpoint = structuredClone(first.checkpoint());
    expect(await lossesOf(train(model, data, { ...options, resume: checkpoint }))).toEqual(whole.slice(4));
    model.dispose();
  });

  it('goes on from a checkpoint of any step: judged ones, that of the early stop and the last one too', async () => {
    const model = await openLearner('bert-seqcls');
    const examples = courseOf('bert-seqcls').data.slice(0, 7);
    const judged = { evaluate: examples.slice(0, 2), patience: 2, learningRate: 0.5, maxGradNorm: 1e6 };
    const how: TrainOptions = { ...judged, batchSize: 3, accumulate: 2, epochs: 12, rank: 1, targets: ['query'] };
    const endOf = async (run: ReturnType<typeof train>, most = Number.POSITIVE_INFINITY) => {
      const found: object[] = [];
      for (;;) {
        const { done, value } = await (found.length < most ? run.next() : run.return());
        const {
          adapter: _,
          secondsLeft: __,
          tokensPerSecond: ___,
          ...told
        } = value as object as Record<string, unknown>;
        if (done) return { found, told };
        found.push(told);
      }
    };
    const whole = await endOf(train(model, examples, how));
    expect(whole.found.length).toBeLessThan(24);
    for (const taken of [1, ...[3, 2, 1, 0].map((less) => whole.found.length - less)]) {
      const run = train(model, examples, how);
      const begun = await endOf(run, taken);
      const resumed = train(model, examples, { ...how, resume: structuredClone(run.checkpoint()) });
      const { found, told } = await endOf(resumed);
      expect([...begun.found, ...found]).toEqual(whole.found);
      expect(told).toEqual(whole.told);
      await model.setAdapter(null);
    }
    model.dispose();
  });

  it('sums up the gradients of several batches as those of one', async () => {
    const model = await openLearner('tiny-gpt2');
    const same = { ...options, shuffle: false, epochs: 2 };
    const once = await lossesOf(train(model, data, { ...same, batchSize: 4 }));
    const summed = await lossesOf(train(model, data, { ...same, batchSize: 2, accumulate: 2 }));
    expectClose(summed, once, { relative: 1e-6 });
    model.dispose();
  });

  it.each(['tiny-gpt2', 'bert-seqcls', 'learning-seeded/marian-three-on-one', 'families/t5-deeper-decoder'])(
    'of %s takes the same steps where blocks are made again on the way back, in less memory',
    async (name) => {
      const { batch, open } = manyBlocks(name);
      // Steps of T5 in float32 part by more than roundings.
      for (const device of name.includes('t5') ? (['cpu'] as const) : (['cpu', 'wasm'] as const)) {
        const model = await open(device);
        const backend = model[insides].engine.current;
        const make = backend.program.bind(backend);
        const bytes: number[] = [];
        backend.program = async (...args) => {
          const program = await make(...args);
          bytes.push(program.bytes);
          return program;
        };
        const losses: number[][] = [];
        const sizes: number[] = [];
        for (const recompute of [false, true]) {
          bytes.length = 0;
          const run = train(model, batch as Example[], { rank: 2, steps: 3, learningRate: 1e-2, recompute });
          losses.push(await lossesOf(run));
          sizes.push(Math.max(...bytes));
          await model.setAdapter(null);
        }
        expectClose(losses[1]!, losses[0]!, { relative: device === 'cpu' ? 1e-12 : 1e-5 });
        if (device === 'wasm') expect(sizes[1]!).toBeLessThan(sizes[0]!);
        model.dispose();
      }
    },
  );

  it('of T5 adapts its layers, and not the table of its biases by distance', async () => {
    const { batch, open } = manyBlocks('families/t5-deeper-decoder');
    const model = await open('cpu');
    const run = train(model, batch as Example[], { rank: 2, steps: 1 });
    await run.next();
    const modules = [...run.adapter!.content.tensors.keys()];
    expect(modules).toContain('base_model.model.encoder.block.0.layer.0.SelfAttention.q.lora_A.weight');
    expect(modules.filter((name) => name.includes('relative_attention_bias'))).toEqual([]);
    model.dispose();
  });

  it('of a prompt and its completion learns the completion, between which nothing stands', async () => {
    const model = (await openLearner('llama-gqa')) as Model;
    const { tokenizer, config } = model;
    const before = [tokenizer.bosId!, ...tokenizer.encode('Hello there')];
    const after = [...tokenizer.encode(' my friend'), config.eosTokenIds[0]!];
    const ids = { ids: [...before, ...after], labels: [...before.map(() => -100), ...after] };
    const step = async (example: Example) => (await train(model, [example], { steps: 1 }).next()).value as Step;
    const { loss, tokens } = await step({ prompt: 'Hello there', completion: ' my friend' });
    expect({ loss, tokens }).toEqual({ loss: (await step(ids)).loss, tokens: ids.ids.length });
    model.dispose();
  });

  it('keeps what was learnt when it is aborted, and rejects with the reason', async () => {
    const model = await openLearner('tiny-gpt2');
    const stop = new AbortController();
    const training = train(model, data, { ...options, signal: stop.signal });
    await training.next();
    await training.next();
    const learnt = training.adapter!.content.tensors;
    stop.abort(new Error('enough'));
    await expect(training.next()).rejects.toThrow('enough');
    expect(training.adapter!.content.tensors).toEqual(learnt);
    expect(training.checkpoint().step).toBe(2);
    model.dispose();
  });

  it('of all weights gives a whole model, which loads alone', async () => {
    const model = (await openLearner('tiny-gpt2')) as Model;
    const training = train(model, data, { method: 'full', batchSize: 5, epochs: 1, learningRate: 1e-3 });
    for await (const _ of training);
    const files = training.adapter!.files();
    const { logits } = await model.trace([5, 6, 7]);
    const alone = await load(
      Object.entries(files).map(([name, bytes]) => new File([bytes], name)),
      { device: 'cpu' },
    );
    expectClose((await alone.trace([5, 6, 7])).logits.data, logits.data, { relative: 1e-6 });
    await model.setAdapter(null);
    expect((await model.trace([5, 6, 7])).logits.data).not.toEqual(logits.data);
    model.dispose();
    alone.dispose();
  });

  it('judges examples after each epoch, and ends where they do not improve', async () => {
    const model = await openLearner('bert-seqcls');
    const examples = courseOf('bert-seqcls').data;
    const steps: Step[] = [];
    const judged = { evaluate: 0.25, patience: 1, learningRate: 0.5, maxGradNorm: 1e6 };
    for await (const step of train(model, examples, { batchSize: 3, epochs: 40, ...judged })) steps.push(step);
    const found = steps.flatMap(({ evaluation }) => evaluation ?? []);
    expect(found.every(({ accuracy }) => accuracy! >= 0 && accuracy! <= 1)).toBe(true);
    expect(found.at(-1)!.loss).toBeGreaterThanOrEqual(Math.min(...found.slice(0, -1).map(({ loss }) => loss)));
    expect(steps.length).toBeLessThan(80);
    model.dispose();
  });

  it('refuses what it cannot learn, in words', async () => {
    const [model, bert] = [await openLearner('tiny-gpt2'), await openLearner('bert-seqcls')];
    const { content } = await fixtureAdapter('tiny-gpt2', 'end');
    const half = 'base_model.model.transformer.h.1.attn.c_attn.lora_A.weight';
    const tensors = new Map([...content.tensors, [half, { data: new Float32Array(360), shape: [4, 90] }]]);
    const narrow = new Adapter({ ...content, tensors });
    const refused: [Learner, Example[], TrainOptions, RegExp][] = [
      [model, [], {}, /empty/],
      [model, [{ ids: [1, 5000] }], {}, /5000/],
      [model, [{ text: 5 } as unknown as Example], {}, /Example 0/],
      [model, [{ ids: Array.from({ length: 129 }, () => 1) }], {}, /128/],
      [model, data, { rank: 0 }, /rank/],
      [model, data, { targets: ['nothing'] }, /nothing|c_attn/],
      [model, data, { targets: '(' }, /targets is "\("/],
      [model, [...data, { ids: [5, 6.5] }], {}, /Example 5 of the examples.*6.5/],
      [model, data, { resume: await fixtureAdapter('bert-seqcls', 'end') }, /bert-seqcls|adapts the layer bert/],
      [model, data, { resume: narrow }, /c_attn from 90 to 288; in this model it is from 96 to 288/],
      [model, data, { batchSize: 2, batchTokens: 5 }, /batchTokens/],
      [model, data, { patience: 2 }, /patience/],
      [model, data, { method: 'head', recompute: true }, /recompute/],
      [model, data, { lerningRate: 1 } as TrainOptions, /lerningRate/],
      [bert, [{ ids: [5, 6], label: 'no such class' }], {}, /no such class/],
      [bert, [{ ids: [5, 6], label: 9 }], {}, /Example 0.*9/],
      [bert, [{ ids: [5, 6] }], {}, /Example 0/],
    ];
    for (const [of, examples, given, words] of refused) {
      const error = await lossesOf(train(of, examples, given)).catch((one: Error) => one);
      expect((error as Error).message).toMatch(words);
      expect(error).toMatchObject({ name: 'VitrineError' });
    }
    model.dispose();
    bert.dispose();
  });
});
