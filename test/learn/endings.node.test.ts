import { afterEach, describe, expect, it, vi } from 'vitest';
import { CpuProgram } from '../../src/cpu/program.ts';
import { type Loader, loaderOf } from '../../src/embed/kinds.ts';
import { remoteModel } from '../../src/embed/model.ts';
import { load, loadEncoder } from '../../src/index.ts';
import {
  type Adapter,
  Diverged,
  type Example,
  type Learner,
  type Trained,
  type Training,
  train,
} from '../../src/learn/index.ts';
import type { TrainOptions } from '../../src/learn/options.ts';
import { Trainer } from '../../src/learn/training.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { connected } from './far.ts';

/** A run ends in many ways, and in each alike on this thread and in a model's own. */
const folder = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
type Subject = Learner & { setAdapter(adapter: Adapter | null): Promise<void>; dispose(): unknown };
interface Opened {
  model: Subject;
  logits(): Promise<number[]>;
  /** Whoever runs it is gone. */
  leave(): void;
}
const text = [5, 6, 7];

async function here(loader: 'load' | 'loadEncoder', name: string): Promise<Opened> {
  const model = await { load, loadEncoder }[loader](folder(name), { device: 'cpu' });
  const logits = async () => Array.from((await model.trace(given(loader))).logits.data);
  return { model: model as unknown as Subject, logits, leave: () => model.dispose() };
}

async function far(loader: 'load' | 'loadEncoder', name: string): Promise<Opened> {
  const connection = connected();
  const loaded = await connection.load(loader as Loader, folder(name), { device: 'cpu' });
  const model = remoteModel(connection, loader, loaded);
  const logits = async () => Array.from((await model.trace(given(loader) as never)).logits.data);
  const leave = () => connection.end(new VitrineError('disposed', 'The engine was terminated.'));
  return { model: model as unknown as Subject, logits, leave };
}
const given = (loader: Loader) => (loader === loaderOf('feature-extraction') ? { ids: text } : text) as never;

const data: Example[] = [{ ids: [5, 6, 7, 8, 9] }, { ids: [11, 12, 13] }, { ids: [300, 301, 302, 303] }];
const options: TrainOptions = { batchSize: 2, epochs: 3, seed: 7, learningRate: 1e-2, targets: ['c_attn'] };
const valuesOf = (adapter: Adapter | undefined) =>
  adapter && [...adapter.content.tensors].map(([name, { data: values }]) => [name, Array.from(values)]);
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: Error) => (error instanceof VitrineError ? error.code : error.message),
  );
/** What a run has kept. */
function keptBy(run: Training) {
  let step: number | string;
  try {
    step = run.checkpoint().step;
  } catch (error) {
    step = (error as VitrineError).code;
  }
  return { step, adapter: valuesOf(run.adapter) };
}

/** The ending of a run of `data`, begun with `given` options: what is told of it must be the same on both sides. */
type Ending = (run: Training, stop: AbortController, opened: Opened) => Promise<object>;

const steps = async (run: Training, count: number) => {
  for (let i = 0; i < count; i++) expect((await run.next()).done).toBe(false);
};
/** What comes after any ending: nothing more, and what was learnt on the model. */
const after = async (run: Training, { logits }: Opened) => {
  const next = await run.next();
  const before = await logits();
  const value = (await run.return()).value as Trained | undefined;
  const isOn = (await logits()).some((logit, i) => logit !== before[i]);
  const trained = value && { ...value, adapter: valuesOf(value.adapter) };
  return { next, trained, isOn, again: ((await run.return()).value as Trained | undefined)?.steps, ...keptBy(run) };
};
const endings: Record<string, { ending: Ending; more?: TrainOptions; steps: number; isOn?: boolean }> = {
  'return before it has begun': {
    ending: async (run, _, opened) => ({ first: await run.return(), ...(await after(run, opened)) }),
    steps: 0,
  },
  'return after two steps': {
    ending: async (run, _, opened) => {
      await steps(run, 2);
      await run.return();
      return after(run, opened);
    },
    steps: 2,
  },
  'return while a step is taken': {
    ending: async (run, _, opened) => {
      await steps(run, 1);
      const [step] = await Promise.all([run.next(), run.return()]);
      return { taken: !step.done, ...(await after(run, opened)) };
    },
    steps: 2,
  },
  'throw before it has begun': {
    ending: async (run, _, opened) => ({
      thrown: await failureOf(run.throw(new Error('no more'))),
      ...(await after(run, opened)),
    }),
    steps: 0,
  },
  'throw after two steps, which leaves the model as it is until what was learnt is asked for': {
    ending: async (run, _, opened) => {
      await steps(run, 2);
      const thrown = await failureOf(run.throw(new Error('no more')));
      return { thrown, kept: keptBy(run), ...(await after(run, opened)) };
    },
    steps: 2,
    isOn: true,
  },
  'throw while a step is taken': {
    ending: async (run, _, opened) => {
      const [step, thrown] = await Promise.all([run.next(), failureOf(run.throw(new Error('no more')))]);
      return { taken: !step.done, thrown, ...(await after(run, opened)) };
    },
    steps: 1,
    isOn: true,
  },
  'an abort before it has begun': {
    ending: async (run, stop, opened) => {
      stop.abort(new Error('enough'));
      return { thrown: await failureOf(run.next()), ...(await after(run, opened)) };
    },
    steps: 0,
  },
  'an abort in the first step': {
    ending: async (run, stop, opened) => {
      const next = failureOf(run.next());
      stop.abort(new Error('enough'));
      return { thrown: await next, ...(await after(run, opened)) };
    },
    steps: 0,
  },
  'an abort between two steps': {
    ending: async (run, stop, opened) => {
      await steps(run, 2);
      stop.abort(new Error('enough'));
      return { kept: keptBy(run), thrown: await failureOf(run.next()), ...(await after(run, opened)) };
    },
    steps: 2,
    isOn: true,
  },
  'an abort in a step, and then return': {
    ending: async (run, stop, opened) => {
      await steps(run, 2);
      const next = failureOf(run.next());
      stop.abort(new Error('enough'));
      const returned = run.return();
      return { thrown: await next, value: (await returned).value?.steps, ...(await after(run, opened)) };
    },
    steps: 2,
  },
  'an abort while examples are judged: the step is not taken': {
    ending: async (run, stop, opened) => {
      await steps(run, 1);
      const judge = vi.spyOn(Trainer.prototype, 'evaluate').mockImplementationOnce(async () => {
        stop.abort(new Error('enough'));
        throw stop.signal.reason;
      });
      const thrown = await failureOf(run.next());
      judge.mockRestore();
      return { thrown, ...(await after(run, opened)) };
    },
    more: { evaluate: data },
    steps: 1,
    isOn: true,
  },
  'an abort of a run of all weights': {
    ending: async (run, stop, opened) => {
      await steps(run, 2);
      stop.abort(new Error('enough'));
      return { thrown: await failureOf(run.next()), ...(await after(run, opened)) };
    },
    more: { method: 'full', targets: undefined } as unknown as TrainOptions,
    steps: 2,
    isOn: true,
  },
  'a loss that is not finite': {
    ending: async (run, _, opened) => {
      await steps(run, 1);
      const error = await run.next().catch((one: unknown) => one);
      expect(error).toBeInstanceOf(Diverged);
      const adapter = valuesOf((error as Diverged).adapter)!;
      expect(adapter.every(([, values]) => (values as number[]).every(Number.isFinite))).toBe(true);
      expect(adapter).toEqual(valuesOf(run.adapter));
      return { message: (error as Error).message, last: adapter, ...(await after(run, opened)) };
    },
    more: { learningRate: 1e25, maxGradNorm: 1e30 },
    steps: 1,
    isOn: true,
  },
  'a change that is beyond all numbers, in the first step': {
    ending: async (run, _, opened) => {
      const error = (await run.next().catch((one: unknown) => one)) as Diverged;
      expect(error).toBeInstanceOf(Diverged);
      return { message: error.message, last: valuesOf(error.adapter), ...(await after(run, opened)) };
    },
    more: { learningRate: 1e300 },
    steps: 0,
  },
  'a device that is lost: the run goes on from its last step': {
    ending: async (run, _, opened) => {
      await steps(run, 1);
      const lost = new VitrineError('device-lost', 'The GPU was lost.');
      vi.spyOn(CpuProgram.prototype, 'run').mockRejectedValueOnce(lost);
      const { value } = await run.next();
      await run.return();
      return { loss: (value as { loss: number }).loss, ...(await after(run, opened)) };
    },
    steps: 2,
  },
  'examples that are refused': {
    ending: async (run, _, opened) => ({ thrown: await failureOf(run.next()), ...(await after(run, opened)) }),
    more: { rank: 0 },
    steps: 0,
  },
};

describe('a run here and one in the thread of its model end alike with', async () => {
  const sides = [await here('load', 'tiny-gpt2'), await far('load', 'tiny-gpt2')];
  afterEach(() => vi.restoreAllMocks());

  it.each(Object.entries(endings))('%s', async (_, { ending, more, steps: taken, isOn = false }) => {
    const told: object[] = [];
    for (const opened of sides) {
      const freed = vi.spyOn(Trainer.prototype, 'dispose');
      const begun = vi.spyOn(Trainer.prototype, 'gradients');
      const stop = new AbortController();
      const run = train(opened.model, data, { ...options, ...more, signal: stop.signal });
      told.push(await ending(run, stop, opened));
      // Its programs are freed, whatever became of it.
      if (begun.mock.calls.length > 0) await expect.poll(() => freed.mock.calls.length).toBeGreaterThan(0);
      vi.restoreAllMocks();
      await opened.model.setAdapter(null);
    }
    expect(told[1]).toEqual(told[0]);
    expect(told[0]).toMatchObject({ next: { done: true, value: undefined }, isOn });
    expect(told[0]).toMatchObject(
      taken > 0 ? { step: taken, trained: { steps: taken } } : { step: 'bad-option', trained: undefined },
    );
  });

  it('two runs at once, which do not hear of each other', async () => {
    const told: unknown[] = [];
    for (const { model } of sides) {
      const alone = train(model, data, options);
      const other = train(model, data, { ...options, seed: 8 });
      const expected: number[][] = [[], []];
      for (const [i, run] of [alone, other].entries()) for await (const { loss } of run) expected[i]!.push(loss);
      const runs = [train(model, data, options), train(model, data, { ...options, seed: 8 })];
      const found: number[][] = [[], []];
      await Promise.all(
        runs.map(async (run, i) => {
          for await (const { loss } of run) found[i]!.push(loss);
        }),
      );
      expect(found).toEqual(expected);
      told.push(found, valuesOf(runs[0]!.adapter));
      await model.setAdapter(null);
    }
    expect(told.slice(2)).toEqual(told.slice(0, 2));
  });

  it('a model that is disposed, or a worker that is gone: what was learnt stays', async () => {
    for (const gone of ['dispose', 'leave'] as const) {
      const told: unknown[] = [];
      for (const open of [here, far]) {
        const opened = await open('load', 'tiny-gpt2');
        const run = train(opened.model, data, options);
        await steps(run, 2);
        const kept = keptBy(run);
        await (gone === 'leave' ? opened.leave() : opened.model.dispose());
        const failures = [await failureOf(run.next()), await failureOf(run.return()), await failureOf(run.next())];
        expect(keptBy(run)).toEqual(kept);
        told.push([kept, failures]);
      }
      expect(told[1]).toEqual(told[0]);
      expect((told[0] as unknown[])[1]).toEqual(['disposed', 'disposed', 'none']);
    }
  });
});

it('two runs at once whose heads are made do not hear of each other', async () => {
  const examples = [5, 6, 7, 8].map((id) => ({ ids: [id, id + 1, id + 2], label: id % 2 ? 'odd' : 'even' }));
  for (const open of [here, far]) {
    const { model } = await open('loadEncoder', 'families/bert-pooler');
    const lossesOf = async (seed: number) => {
      const losses: number[] = [];
      for await (const { loss } of train(model, examples, { seed, steps: 4, batchSize: 2, rank: 2 })) losses.push(loss);
      return losses;
    };
    const alone = [await lossesOf(1), await lossesOf(2)];
    expect(await Promise.all([lossesOf(1), lossesOf(2)])).toEqual(alone);
    model.dispose();
  }
});
