import { Adapter, asAdapter, isAdapter } from '../adapter/adapter.ts';
import type { EncoderConfig } from '../model/bert.ts';
import { VitrineError } from '../plan/error.ts';
import type { ClassHead } from '../plan/plan.ts';
import { isFar } from '../run/afar.ts';
import { quote, refuse } from '../run/check.ts';
import type { Encoder } from '../run/encoder.ts';
import type { Engine } from '../run/engine.ts';
import { using } from '../run/heads.ts';
import { uniform } from '../run/random.ts';
import { CourseAfar } from './afar.ts';
import { type Checkpoint, notBegun } from './checkpoint.ts';
import { type Example, type Read, readExamples } from './examples.ts';
import { asHead, HeadTrainer, headParams, isOfHead, newHead, widthOfFeatures, withHead } from './head.ts';
import { insideOf, type Learner, type Near } from './inside.ts';
import { bad, headOf } from './loss.ts';
import { isOutOfMemory, noRoom, type RunMemory } from './memory.ts';
import { rateOf } from './optimiser.ts';
import { isExamples, readTrainOptions, type Settings, type TrainOptions } from './options.ts';
import { adapterPlan, copyOf, setParam, wholeModel } from './params.ts';
import { type Course, type PlainStep, type Trained, Training } from './run.ts';
import { adapterOf, freshAdapter, modelOf, textsOf } from './trained.ts';
import { batchesOf, Diverged, type Evaluation, kindOf, mostOf, Trainer } from './training.ts';

/**
 * Teaches a model examples, step by step: an async generator of steps, which returns what was learnt. Afterwards, and after leaving the
 * loop, the model has the adapter on; its own weights stay as they are. After an abort `run.adapter` is what was learnt until then.
 * @throws VitrineError `bad-option` for options and examples, `context-full`, `out-of-memory`, `device-lost`; `diverged` for a loss that
 *   is not finite, with the last finite `adapter`; the signal's reason when it aborts
 */
export function train(model: Learner, examples: readonly Example[], options: TrainOptions = {}): Training {
  return new Training(
    isFar(model) ? new CourseAfar(model, examples, options) : new CourseHere(model, examples, options),
  );
}

/** What adds more to a weight at once may end beyond all float32. */
const wildRate = 1e30;

/** A run on this thread. */
class CourseHere implements Course {
  readonly #model: Near;
  readonly #examples: readonly Example[];
  readonly #options: TrainOptions;
  #engine: Engine | undefined;
  #begun: Promise<{ learnt: Read[]; judged: Read[]; settings: Settings }> | undefined;
  #trainer: Trainer | HeadTrainer | undefined;
  /** The classes of a head that is made. */
  #labels: readonly string[] | undefined;
  #settings: Settings | undefined;
  #config: Readonly<Record<string, unknown>> = {};
  #texts: ReadonlyMap<string, string> = new Map();
  readonly #state = { step: 0, tokens: 0, best: Number.POSITIVE_INFINITY, waited: 0, loss: Number.NaN };
  #evaluation: Evaluation | undefined;
  /** A step was taken, all of it. */
  #isWhole = false;
  #trained: Trained | undefined;

  constructor(model: Near, examples: readonly Example[], options: TrainOptions) {
    this.#model = model;
    this.#examples = examples;
    this.#options = options;
  }

  get adapter(): Adapter | undefined {
    return this.#trained?.adapter ?? (this.#isWhole ? this.#learnt() : undefined);
  }

  /** The parameters as they are. */
  #learnt(): Adapter {
    const { params } = this.#trainer!;
    if (this.#settings!.method === 'full') return modelOf(this.#engine!, params, this.#texts);
    return adapterOf(params, this.#config, this.#labels);
  }

  checkpoint(): Checkpoint {
    if (!this.#trainer || !(this.#isWhole || this.#trained)) throw notBegun();
    const { step, tokens, best, waited } = this.#state;
    const params = this.#trainer.params.map(copyOf);
    const { method } = this.#settings!;
    return { step, tokens, best, waited, method, labels: this.#labels, config: this.#config, params };
  }

  async finish(): Promise<Trained | undefined> {
    if (!this.#trained && this.#isWhole) await this.#finish();
    this.#trainer?.dispose();
    return this.#trained;
  }

  async memory(): Promise<RunMemory> {
    const { judged } = await this.#beginning();
    const memory = await this.#trainer!.memory(judged.length > 0);
    return { bytes: memory.activations + memory.weights + memory.optimiser, ...memory };
  }

  /** Begins it once. */
  #beginning() {
    this.#begun ??= (async () => {
      const settings = readTrainOptions(this.#options);
      settings.signal?.throwIfAborted();
      return { ...(await this.#begin(this.#examples, settings)), settings };
    })();
    return this.#begun;
  }

  async *steps(): AsyncGenerator<PlainStep, Trained> {
    const { learnt, judged, settings } = await this.#beginning();
    const { seed, shuffle, accumulate } = settings;
    const perEpoch = Math.ceil(batchesOf(learnt, settings).length / accumulate);
    const steps = settings.steps ?? settings.epochs * perEpoch;
    const trainer = this.#trainer!;
    const state = this.#state;
    try {
      const began = performance.now();
      const before = { step: state.step, tokens: state.tokens };
      let groups: Read[][][] = [];
      for (let epoch = -1; state.step < steps; ) {
        const now = Math.floor(state.step / perEpoch);
        if (now !== epoch) {
          epoch = now;
          const order = shuffle ? shuffled(learnt, seed, epoch) : learnt;
          groups = inGroups(batchesOf(order, settings), accumulate);
        }
        const at = state.step % perEpoch;
        // Batches of so many tokens may come out fewer in another order.
        const group = groups[at % groups.length]!;
        const { step } = state;
        const learningRate = rateOf(step, steps, settings);
        const isJudged = judged.length > 0 && (at + 1 === perEpoch || step + 1 === steps);
        const { loss, norm } = await this.#take(group, learningRate, isJudged ? judged : [], settings).catch(
          async (error: unknown) => {
            throw isOutOfMemory(error) ? noRoom(error, await this.memory(), settings, [...learnt, ...judged]) : error;
          },
        );
        const seconds = Math.max(1e-6, (performance.now() - began) / 1000);
        yield {
          ...{ step, steps, epoch: (step + 1) / perEpoch, loss, learningRate, gradNorm: norm, tokens: state.tokens },
          tokensPerSecond: (state.tokens - before.tokens) / seconds,
          secondsLeft: (seconds / (step + 1 - before.step)) * (steps - step - 1),
          ...(isJudged && { evaluation: this.#evaluation! }),
        };
        if (isJudged && this.#isTired(settings)) break;
      }
      return await this.#finish();
    } finally {
      trainer.dispose();
    }
  }

  /** Takes a step, and judges some examples: all of it, or nothing is changed. */
  async #take(group: Read[][], rate: number, judged: readonly Read[], settings: Settings) {
    const [trainer, state] = [this.#trainer!, this.#state];
    this.#engine!.alive();
    const { loss, tokens, gradients, norm } = await trainer.gradients(group);
    const diverged = (what: string) =>
      new Diverged(`The ${what} of step ${state.step} is no finite number.`, this.#learnt());
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw diverged(Number.isFinite(loss) ? 'gradient' : 'loss');
    settings.signal?.throwIfAborted();
    // Of all weights a copy would be too much: they stay as the step has left them.
    const isKept = rate > wildRate || (judged.length > 0 && settings.method !== 'full');
    const before = isKept && trainer.params.map(copyOf);
    trainer.update(gradients, norm, state.step, rate);
    const takeBack = () => before && trainer.restore(before);
    if (rate > wildRate && !trainer.params.every(({ values }) => values.every(Number.isFinite))) {
      takeBack();
      throw diverged('change');
    }
    if (judged.length > 0) {
      try {
        this.#evaluation = await trainer.evaluate(judged, batchesOf(judged, settings));
      } catch (error) {
        takeBack();
        if (!before) this.#count(tokens, loss);
        throw error;
      }
    }
    this.#count(tokens, loss);
    return { loss, norm };
  }

  #count(tokens: number, loss: number): void {
    const state = this.#state;
    Object.assign(state, { step: state.step + 1, tokens: state.tokens + tokens, loss });
    this.#isWhole = true;
  }

  /** Reads the examples and makes the plan that learns. */
  async #begin(examples: readonly Example[], settings: Settings): Promise<{ learnt: Read[]; judged: Read[] }> {
    const inside = insideOf(this.#model);
    const { engine } = inside;
    this.#engine = engine;
    const { evaluate, truncation: cuts, resume, method } = settings;
    if (!isExamples.accepts(examples)) throw refuse('examples', examples, isExamples.expects);
    const last = isAdapter(resume) ? undefined : (resume as Checkpoint | undefined);
    if (last && (!Array.isArray(last.params) || last.method !== method)) {
      throw refuse('resume', last, `an adapter, or a checkpoint of a run with method ${quote(method)}`);
    }
    const given = isAdapter(resume) ? resume.content.head : undefined;
    this.#labels = labelsOf(this.#model, settings, examples, last?.labels ?? given?.labels);
    const head = this.#labels ? asHead(this.#labels) : headOf(inside, this.#model.config);
    const { eosTokenIds: ends = [] } = this.#model.config as { eosTokenIds?: number[] };
    const reading = (list: readonly Example[], what: string) => readExamples(inside, head, list, { cuts, ends, what });
    const all = await reading(examples, 'examples');
    const own = Array.isArray(evaluate) ? await reading(evaluate as Example[], 'examples to evaluate') : [];
    const share = typeof evaluate === 'number' ? Math.max(1, Math.round(evaluate * all.length)) : 0;
    if (share >= all.length && share > 0)
      throw refuse('evaluate', evaluate, 'a share that leaves examples to learn from');
    const mixed = share > 0 ? shuffled(all, settings.seed, -1) : all;
    const [judged, learnt] = share > 0 ? [mixed.slice(0, share), mixed.slice(share)] : [own, all];
    const { params, trainer } = await this.#trainerOf(settings, last, given, [...all, ...own]);
    for (const saved of last?.params ?? []) {
      const param = params.find(({ name, values }) => name === saved.name && values.length === saved.values.length);
      if (!param) throw refuse('resume', last, `a checkpoint of this model, which has no ${saved.name} of its size`);
      setParam(param, saved);
    }
    if (last)
      Object.assign(this.#state, { step: last.step, tokens: last.tokens, best: last.best, waited: last.waited });
    this.#settings = settings;
    this.#trainer = trainer();
    engine.alive();
    return { learnt, judged };
  }

  /** What is learnt, and who learns it once it has its values. */
  async #trainerOf(
    settings: Settings,
    last: Checkpoint | undefined,
    given: ClassHead | undefined,
    all: readonly Read[],
  ) {
    const inside = insideOf(this.#model);
    const labels = this.#labels;
    const headed = labels && (await (this.#model as Encoder)[using](async (parts) => parts));
    const head = labels && newHead(labels, widthOfFeatures(headed!));
    if (given && head) {
      if (given.weight.length !== head.weight.length)
        throw refuse('resume', given, 'an adapter whose head fits this model');
      head.weight.set(given.weight);
      head.bias.set(given.bias);
    }
    if (settings.method === 'head') {
      const trainer = await HeadTrainer.of(this.#model as Encoder, head!, settings, all);
      return { params: trainer.params, trainer: () => trainer };
    }
    const training = settings.method === 'full' ? await this.#whole() : await this.#adapted(settings, last);
    const made = head && withHead(training.plan(), headed!, head);
    const params = [...training.params, ...(made ? headParams(head, given === undefined, made.weights) : [])];
    const kind = kindOf(all);
    const trainer = () => {
      for (const param of params) param.write();
      return new Trainer(inside, made?.plan ?? training.plan(), params, kind, settings, mostOf(all, settings));
    };
    return { params, trainer };
  }

  async #whole() {
    const { engine } = insideOf(this.#model);
    const { dtype } = this.#model.device;
    if (!['f32', 'f16', 'bf16'].includes(dtype)) {
      throw new VitrineError(
        'bad-option',
        `method is "full", and the model's weights are ${dtype}; expected f32, f16 or bf16.`,
        {
          hint: "Load it with dtype: 'f32', or train with method: 'lora'.",
        },
      );
    }
    this.#texts = await textsOf(engine);
    return wholeModel(engine);
  }

  async #adapted(settings: Settings, last: Checkpoint | undefined) {
    const { engine } = insideOf(this.#model);
    const saved = last?.params.filter((one) => !isOfHead(one));
    const tensors = new Map(saved?.map(({ name, shape, values }) => [name, { shape, data: values }]));
    const begun = last && new Adapter({ name: 'the checkpoint', config: last.config, tensors });
    const { resume } = settings;
    const adapter = begun ?? (isAdapter(resume) ? asAdapter(resume) : freshAdapter(engine, settings));
    this.#config = adapter.content.config;
    return adapterPlan(engine, adapter);
  }

  /** Whether so many evaluations have not been better as one is willing to wait for. */
  #isTired({ patience }: Settings): boolean {
    const { loss } = this.#evaluation!;
    const state = this.#state;
    state.waited = loss < state.best ? 0 : state.waited + 1;
    state.best = Math.min(state.best, loss);
    return patience !== undefined && state.waited >= patience;
  }

  async #finish(): Promise<Trained> {
    const { step: steps, loss } = this.#state;
    const adapter = this.#learnt();
    this.#trainer!.dispose();
    await this.#model.setAdapter(adapter);
    this.#trained = { adapter, steps, loss, evaluation: this.#evaluation };
    return this.#trained;
  }
}

/** The classes of the head that is made, where one is. @throws VitrineError `bad-option` where the model takes none, or there are none */
function labelsOf(
  model: Near,
  { labels, method }: Settings,
  examples: readonly Example[],
  known: readonly string[] | undefined,
): readonly string[] | undefined {
  const { kind } = insideOf(model);
  const { head } = model.config as Partial<EncoderConfig>;
  const isMade =
    method === 'head' || known !== undefined || (kind === 'encoder' && head === undefined) || labels !== undefined;
  if (!isMade) return undefined;
  if (kind !== 'encoder' || method === 'full') {
    const what = method === 'full' ? 'method is "full"' : `labels make a head, and the model is no encoder of texts`;
    throw bad(what, 'an encoder, with method "head" or "lora"');
  }
  // What guesses words was trained for all that follows: classes may take the place of that head.
  if (head !== undefined && head !== 'masked-words' && method !== 'head') {
    throw bad('labels make a head, and the model has one', 'no labels');
  }
  const named = examples.flatMap((one) => ('label' in one && typeof one.label === 'string' ? [one.label] : []));
  const found = labels ?? known ?? [...new Set(named)];
  if (found.length > 1) return found;
  throw bad(`The examples are of ${found.length} classes by name`, 'two or more, or the option labels');
}

/** In another order for each epoch (Fisher & Yates 1938). */
function shuffled(list: readonly Read[], seed: number, epoch: number): Read[] {
  const order = [...list];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(uniform(seed, i, epoch + 1) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function inGroups<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}
