import { Adapter, asAdapter, isAdapter } from '../adapter/adapter.ts';
import type { EncoderConfig } from '../model/bert.ts';
import type { VisionConfig } from '../model/vit.ts';
import { badOption } from '../plan/error.ts';
import type { ClassHead, HeadForm } from '../plan/plan.ts';
import { isFar } from '../run/afar.ts';
import { isList, quote, refuse } from '../run/check.ts';
import type { Engine } from '../run/engine.ts';
import { featuredOf, featureWidth } from '../run/features.ts';
import { uniform } from '../run/random.ts';
import { CourseAfar } from './afar.ts';
import { answering, withHead } from './answering.ts';
import { type Checkpoint, type Evaluation, notBegun } from './checkpoint.ts';
import { type Example, type Read, readExamples } from './examples.ts';
import { HeadTrainer, headParams, isOfHead, newHead } from './head.ts';
import { insideOf, type Learner, type Near } from './inside.ts';
import { asHead, bad, type Head, ownHead } from './loss.ts';
import { isOutOfMemory, noRoom, type RunMemory } from './memory.ts';
import { rateOf } from './optimiser.ts';
import { isExamples, readTrainOptions, type Settings, type TrainOptions } from './options.ts';
import { adapterPlan, copyOf, type Param, setParam, wholeModel } from './params.ts';
import { type Course, type PlainStep, type Trained, Training } from './run.ts';
import { adapterOf, freshAdapter, modelOf, textsOf } from './trained.ts';
import { batchesOf, Diverged, kindOf, mostOf, Trainer } from './training.ts';

/**
 * Teaches a model examples, step by step: an async generator of steps, which returns what was learnt. Afterwards, and after leaving the
 * loop, the model has the adapter on; its own weights stay as they are. After an abort `run.adapter` is what was learnt until then.
 * @throws VitrineError `bad-option` for options and examples, `context-full`, `out-of-memory`, `device-lost`; `diverged` for a loss that
 *   is not finite, with the last finite `adapter`; the signal's reason when it aborts
 */
export function train(model: Learner, examples: readonly Example[], options: TrainOptions = {}): Training {
  const course = isFar(model) ? new CourseAfar(model, examples, options) : new CourseHere(model, examples, options);
  return new Training(course);
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
  /** What a head that is made tells. */
  #form: HeadForm | undefined;
  /** All that might be learnt: what of it the loss depends on is the trainer's. */
  #params: readonly Param[] = [];
  #settings: Settings | undefined;
  #config: Readonly<Record<string, unknown>> = {};
  #texts: ReadonlyMap<string, string> = new Map();
  readonly #state = {
    ...{ step: 0, tokens: 0, best: Number.POSITIVE_INFINITY, waited: 0, loss: Number.NaN },
    evaluation: undefined as Evaluation | undefined,
  };
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
    if (this.#settings!.method !== 'full') return adapterOf(params, this.#config, this.#form);
    return modelOf(this.#engine!, this.#params, this.#texts, this.#form);
  }

  checkpoint(): Checkpoint {
    if (!this.#trainer || !(this.#isWhole || this.#trained)) throw notBegun();
    const params = this.#trainer.params.map(copyOf);
    const { method } = this.#settings!;
    return { ...this.#state, method, head: this.#form, config: this.#config, params };
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
      for (let epoch = -1; state.step < steps && !this.#isTired(settings); ) {
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
          ...(isJudged && { evaluation: state.evaluation! }),
        };
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
        this.#judge(await trainer.evaluate(judged, batchesOf(judged, settings)));
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
    this.#form = formOf(this.#model, settings, examples, last?.head ?? given);
    const head = this.#form ? asHead(this.#form, inside.kind) : ownHead(inside.kind, this.#model.config, engine.base);
    const { eosTokenIds: ends = [] } = this.#model.config as { eosTokenIds?: number[] };
    const reading = (list: readonly Example[], what: string) => readExamples(inside, head, list, { cuts, ends, what });
    const all = await reading(examples, 'examples');
    const own = Array.isArray(evaluate) ? await reading(evaluate as Example[], 'examples to evaluate') : [];
    const share = typeof evaluate === 'number' ? Math.max(1, Math.round(evaluate * all.length)) : 0;
    if (share >= all.length && share > 0)
      throw refuse('evaluate', evaluate, 'a share that leaves examples to learn from');
    const mixed = share > 0 ? shuffled(all, settings.seed, -1) : all;
    const [judged, learnt] = share > 0 ? [mixed.slice(0, share), mixed.slice(share)] : [own, all];
    const { params, trainer } = await this.#trainerOf(settings, last, given, { head, all: [...all, ...own] });
    this.#params = params;
    for (const saved of last?.params ?? []) {
      const param = params.find(({ name, values }) => name === saved.name && values.length === saved.values.length);
      if (!param) throw refuse('resume', last, `a checkpoint of this model, which has no ${saved.name} of its size`);
      setParam(param, saved);
    }
    if (last) {
      const { step, tokens, best, waited, loss, evaluation } = last;
      Object.assign(this.#state, { step, tokens, best, waited, loss, evaluation });
    }
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
    { head, all }: { head: Head; all: readonly Read[] },
  ) {
    const inside = insideOf(this.#model);
    const form = this.#form;
    const featured = form && featuredOf(inside);
    const own = form && newHead(form, featureWidth(featured!, inside.engine.base));
    if (given && own) {
      if (given.weight.length !== own.weight.length)
        throw refuse('resume', given, 'an adapter whose head fits this model');
      own.weight.set(given.weight);
      own.bias.set(given.bias);
    }
    if (settings.method === 'head') {
      const trainer = await HeadTrainer.of(inside, own!, settings, all);
      return { params: trainer.params, trainer: () => trainer };
    }
    const training = settings.method === 'full' ? await this.#whole() : await this.#adapted(settings, last);
    const made = own && withHead(training.plan(), featured!, own);
    const params = [...training.params, ...(made ? headParams(own, given === undefined, made.weights) : [])];
    const plan = made?.plan ?? answering(training.plan(), inside, head);
    const losses = { kind: kindOf(all), head };
    const trainer = () => {
      for (const param of params) param.write();
      return new Trainer(inside, plan, params, losses, settings, mostOf(all, settings));
    };
    return { params, trainer };
  }

  async #whole() {
    const { engine } = insideOf(this.#model);
    const { dtype } = this.#model.device;
    if (!['f32', 'f16', 'bf16'].includes(dtype)) {
      const hint = "Load it with dtype: 'f32', or train with method: 'lora'.";
      throw badOption(`method is "full", and the model's weights are ${dtype}; expected f32, f16 or bf16.`, hint);
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
    const keepsHead = this.#form === undefined;
    const adapter = begun ?? (isAdapter(resume) ? asAdapter(resume) : await freshAdapter(engine, settings, keepsHead));
    this.#config = adapter.content.config;
    return adapterPlan(engine, adapter);
  }

  #judge(evaluation: Evaluation): void {
    const state = this.#state;
    const { loss } = evaluation;
    const waited = loss < state.best ? 0 : state.waited + 1;
    Object.assign(state, { evaluation, waited, best: Math.min(state.best, loss) });
  }

  /** Whether so many evaluations have not been better as one is willing to wait for. */
  #isTired({ patience }: Settings): boolean {
    return patience !== undefined && this.#state.waited >= patience;
  }

  async #finish(): Promise<Trained> {
    const { step: steps, loss, evaluation } = this.#state;
    const adapter = this.#learnt();
    this.#trainer!.dispose();
    await this.#model.setAdapter(adapter);
    this.#trained = { adapter, steps, loss, evaluation };
    return this.#trained;
  }
}

/** What the head tells that is made, where one is. @throws VitrineError `bad-option` where there are no classes */
function formOf(
  model: Near,
  { labels, method }: Settings,
  examples: readonly Example[],
  known: HeadForm | undefined,
): HeadForm | undefined {
  const { kind } = insideOf(model);
  const { head, labels: own = [] } = model.config as Partial<EncoderConfig & VisionConfig>;
  const given = examples.flatMap((one) => ('label' in one ? [one.label] : []));
  const has = kind === 'encoder' ? head !== undefined : kind === 'vision' ? own.length > 0 : given.length === 0;
  const isOther = labels !== undefined && labels.join('\0') !== own.join('\0');
  if (method !== 'head' && known === undefined && has && !isOther) return undefined;
  if (kind === 'encoder-decoder') throw bad('labels make a head, and the model is an encoder-decoder', 'another model');
  if (known && labels && labels.join('\0') !== known.labels.join('\0')) {
    throw refuse('labels', labels, `those of what is resumed, ${known.labels.map(quote).join(', ')}`);
  }
  const named = given.filter((label) => typeof label === 'string');
  // Indices alone are of the model's own classes.
  const classes = named.length === 0 && (kind === 'vision' || head === 'classes') ? own : new Set(named);
  const found = labels ?? known?.labels ?? [...classes];
  if (found.length < 2) {
    throw bad(`The examples are of ${found.length} classes by name`, 'two or more, or the option labels');
  }
  const module = kind === 'decoder' ? 'score' : kind === 'vision' ? 'classifier' : undefined;
  const isMulti = known ? known.isMulti : given.length > 0 && given.every(isList);
  return { labels: [...found], ...(module && { module }), ...(isMulti && { isMulti }) };
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
