import type { Adapter } from '../adapter/adapter.ts';
import { VitrineError } from '../plan/error.ts';
import { packedBytes } from '../plan/formats.ts';
import { gradient, gradOfWeight, type Loss, losses } from '../plan/gradient.ts';
import { isMuchToKeep } from '../plan/gradient-recompute.ts';
import type { AddedWeight, Plan } from '../plan/plan.ts';
import { trimmed } from '../plan/trim.ts';
import type { Engine } from '../run/engine.ts';
import { largest } from '../run/heads.ts';
import type { Insides } from '../run/insides.ts';
import { Runner } from '../run/runner.ts';
import type { Evaluation } from './checkpoint.ts';
import { addTo, runsOf } from './differentiate.ts';
import type { Read } from './examples.ts';
import { bad, type Head } from './loss.ts';
import type { RunMemory } from './memory.ts';
import { normOf, take } from './optimiser.ts';
import type { Settings } from './options.ts';
import { mostSeen, pack } from './pack.ts';
import { type Param, type ParamCopy, setParam } from './params.ts';

/** Steps of an optimiser on a device, over the examples that they are given. */
export class Trainer {
  readonly params: Param[];
  readonly #engine: Engine;
  readonly #settings: Settings;
  readonly #kind: Insides['kind'];
  readonly #train: Runner;
  readonly #evaluate: Runner;
  readonly #recompute: boolean;
  /** The device has the parameters as they are. */
  #isSent = true;

  /** @param most rows, logit rows, rows of a source and keys of a row that a batch may have */
  constructor(
    inside: Insides,
    plan: Plan,
    params: readonly Param[],
    { kind, head }: { kind: Loss; head: Head },
    settings: Settings,
    most: ReturnType<typeof mostOf>,
  ) {
    this.#engine = inside.engine;
    this.#settings = settings;
    this.#kind = inside.kind;
    const base = trimmed(plan, new Set(['logits']));
    // Of what is added, a head's frozen layers are not learnt.
    const added = params.flatMap((param) => param.write());
    const weights = [...new Set(added.map(({ spec }) => spec.name))];
    const { rows, logitRows, sees, source } = most;
    const size = { slots: 1, context: rows, rows, logitRows, sees, ...(source > 0 && { source }) };
    const { recompute = isMuchToKeep(base, size) } = settings;
    this.#recompute = recompute;
    const whole = gradient(base, kind, { tensors: [], weights, recompute });
    const has = weights.filter((name) => whole.tensors.has(gradOfWeight(name)));
    const kept = new Map(has.map((name) => [name, new Float32Array(0)]));
    // What the loss does not depend on is not learnt, as PyTorch leaves what has no gradient.
    this.params = params.filter((param) => param.gradientOf(sized(kept, added)) !== undefined);
    this.#train = new Runner(this.#engine, whole, size, new Set([losses, ...has.map(gradOfWeight)]));
    this.#evaluate = new Runner(
      this.#engine,
      gradient(base, kind, { tensors: [], weights: [] }),
      size,
      // A plan with a loss reads its logits back for whom they are asked: those of a vocabulary are many, those of classes few.
      new Set(head.whole ? [losses, 'logits'] : [losses]),
    );
  }

  /** Gradients of several batches together; the loss is the mean over all of their targets. */
  async gradients(batches: readonly (readonly Read[])[]) {
    const { signal } = this.#settings;
    const count = batches.flat().reduce((sum, { lost }) => sum + lost.count, 0);
    const sums = new Map<string, Float32Array>();
    let [loss, tokens] = [0, 0];
    await this.#send(signal);
    for (const batch of batches) {
      if (batch.every(({ lost }) => lost.rows.length === 0)) continue;
      const packed = pack(batch, this.#kind, 1 / count);
      tokens += packed.batch.rows.length + (packed.encoding?.rows.length ?? 0);
      await this.#engine.turn(signal);
      const found = await runsOf(this.#train, packed, signal);
      for (const value of found.get(losses)!.data) loss += value / count;
      for (const [name, { data }] of found) {
        const weight = /^grad\.weights:(.*)$/.exec(name)?.[1];
        if (weight !== undefined) addTo(sums, weight, data);
      }
    }
    const gradients = this.params.map((param) => param.gradientOf(sums) ?? new Float32Array(param.values.length));
    return { loss, tokens, gradients, norm: normOf(gradients) };
  }

  /** Moves all parameters at once; the device gets them before its next run. */
  update(gradients: readonly Float32Array[], norm: number, step: number, rate: number): void {
    take(this.params, gradients, { norm, step, rate }, this.#settings);
    this.#isSent = false;
  }

  restore(before: readonly ParamCopy[]): void {
    for (const [i, param] of this.params.entries()) setParam(param, before[i]!);
    this.#isSent = false;
  }

  /** Puts the parameters on the device; a program that is made anew gets them by itself. */
  async #send(signal: AbortSignal | undefined): Promise<void> {
    if (this.#isSent) return;
    const changed = new Set<AddedWeight>(this.params.flatMap((param) => param.write()));
    await this.#train.use(signal, async () => {
      for (const { spec, values } of changed) this.#engine.current.setWeight(spec.name, values);
    });
    this.#isSent = true;
  }

  async evaluate(examples: readonly Read[], batches: readonly (readonly Read[])[]): Promise<Evaluation> {
    const { signal } = this.#settings;
    const count = examples.reduce((sum, { lost }) => sum + lost.count, 0);
    let loss = 0;
    const judged: Judged[] = [];
    await this.#send(signal);
    for (const batch of batches) {
      const packed = pack(batch, this.#kind, 1);
      await this.#engine.turn(signal);
      const found = await runsOf(this.#evaluate, packed, signal);
      for (const value of found.get(losses)!.data) loss += value / count;
      if (batch[0]!.label === undefined) continue;
      const logits = found.get('logits')!.data;
      const width = logits.length / batch.length;
      for (const [i, { label }] of batch.entries()) {
        judged.push({ label, predicted: largest(logits.subarray(i * width, (i + 1) * width), 1)[0]! });
      }
    }
    return { loss, ...judgement(judged) };
  }

  /** @param isJudging whether examples are judged too */
  async memory(isJudging: boolean): Promise<Omit<RunMemory, 'bytes'>> {
    const backend = await this.#engine.backend(this.#settings.signal);
    const runners = isJudging ? [this.#train, this.#evaluate] : [this.#train];
    const activations = await Promise.all(runners.map((runner) => runner.bytesOn(backend)));
    const added = this.#train.plan.added!;
    const own = new Set(this.params.map(({ values }) => values));
    const copies = added.filter(({ values }) => !own.has(values)).map(({ values }) => values.byteLength);
    return {
      activations: sum(activations),
      weights: sum(added.map(({ spec }) => packedBytes('f32', spec.rows, spec.columns))),
      optimiser: sum(this.params.map(({ values }) => 4 * values.byteLength)) + sum(copies),
      recompute: this.#recompute,
    };
  }

  dispose(): void {
    this.#train.dispose();
    this.#evaluate.dispose();
  }
}

export interface Judged {
  label: number | undefined;
  predicted: number;
}

/** What classes that were given are worth, where there are any. */
export function judgement(judged: readonly Judged[]): Pick<Evaluation, 'accuracy' | 'predicted'> {
  if (judged.length === 0) return {};
  const right = judged.filter(({ label, predicted }) => label === predicted).length;
  return { accuracy: right / judged.length, predicted: judged.map(({ predicted }) => predicted) };
}

/** Gradients of the right sizes, to ask which parameters have one. */
function sized(kept: ReadonlyMap<string, Float32Array>, added: readonly AddedWeight[]): Map<string, Float32Array> {
  return new Map(added.flatMap(({ spec, values }) => (kept.has(spec.name) ? [[spec.name, values] as const] : [])));
}

/** Examples one behind the other in batches: of so many, or of so many rows at most. */
export function batchesOf(examples: readonly Read[], { batchSize, batchTokens }: Settings): Read[][] {
  const batches: Read[][] = [];
  let rows = 0;
  for (const example of examples) {
    const own = example.input.rows.length + (example.input.source?.rows.length ?? 0);
    const last = batches.at(-1);
    const fits = last && (batchTokens === undefined ? last.length < batchSize : rows + own <= batchTokens);
    if (fits) last.push(example);
    else {
      batches.push([example]);
      rows = 0;
    }
    rows += own;
  }
  return batches;
}

/** What the largest batch may need. */
export function mostOf(examples: readonly Read[], { batchSize, batchTokens }: Settings) {
  const most = (size: (one: Read) => number) => {
    const sizes = examples.map(size).sort((a, b) => b - a);
    if (batchTokens === undefined) return sum(sizes.slice(0, batchSize));
    return Math.max(sizes[0] ?? 0, Math.min(batchTokens, sum(sizes)));
  };
  const logitRows = most(({ lost }) => lost.rows.length);
  return {
    rows: most(({ input }) => input.rows.length),
    logitRows: Math.max(1, logitRows),
    source: most(({ input }) => input.source?.rows.length ?? 0),
    sees: mostSeen(examples.map(({ input }) => input)),
  };
}

/** @throws VitrineError `bad-option` where examples have losses of different kinds */
export function kindOf(examples: readonly Read[]): Loss {
  const { kind } = examples[0]!.lost;
  if (examples.some(({ lost }) => lost.kind !== kind)) {
    throw bad('The labels are of different kinds', 'all of them classes, lists or numbers');
  }
  return kind;
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

/** A loss that is no number: what was learnt until then is in the error. */
export class Diverged extends VitrineError {
  readonly adapter: Adapter;

  /** @internal */
  constructor(message: string, adapter: Adapter) {
    super('diverged', message, {
      hint: 'Take a smaller learningRate, or more warmupSteps. The error has the last adapter that was finite.',
    });
    this.adapter = adapter;
  }
}
