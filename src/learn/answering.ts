import type { DenseLayer } from '../model/sentence.ts';
import { badOption } from '../plan/error.ts';
import type { AddedWeight, ClassHead, Plan, Step, TensorSpec, WeightSpec } from '../plan/plan.ts';
import { stepInputs, stepOutputs, widthOf } from '../plan/plan.ts';
import type { Featured } from '../run/encode.ts';
import { featuredOf, featuresOf } from '../run/features.ts';
import type { Insides } from '../run/insides.ts';
import { bad, type Head } from './loss.ts';

export interface HeadWeights {
  weight: AddedWeight;
  bias: AddedWeight;
}

/**
 * A plan whose `logits` are what the model answers, all of it in steps that can be differentiated: those of a head that an adapter has
 * put on, and of DeiT with a teacher the mean of its two heads.
 */
export function answering(plan: Plan, inside: Insides, { whole }: Head): Plan {
  if (plan.head && whole) return withHead(plan, featuredOf(inside), plan.head).plan;
  return plan.tensors.has('distilled') ? withMean(plan) : plan;
}

let made = 0;

/** What is added to a plan: tensors, weights and steps behind its own. */
class Additions {
  readonly steps: Step[];
  readonly #plan: Plan;
  readonly #tensors: Map<string, TensorSpec>;
  readonly #sources: Plan['sources'];
  readonly #added: AddedWeight[] = [];
  /** Runs at once do not share what they learn. */
  readonly #prefix = `adapter head ${++made}: `;

  constructor(plan: Plan, steps: readonly Step[]) {
    this.#plan = plan;
    this.steps = [...steps];
    this.#tensors = new Map(plan.tensors);
    this.#sources = new Map(plan.sources);
  }

  tensor(name: string, ...shape: TensorSpec['shape']): string {
    this.#tensors.set(this.#prefix + name, { name: this.#prefix + name, shape });
    return this.#prefix + name;
  }

  /** The logits anew, of so many numbers. */
  logits(width: number): 'logits' {
    this.#tensors.set('logits', { name: 'logits', shape: ['logitRows', width] });
    return 'logits';
  }

  widthOf(tensor: string): number {
    return widthOf(this.#tensors.get(tensor)!);
  }

  vector(name: string, values: Float32Array): AddedWeight {
    return this.#add(name, { kind: 'vector', rows: 1, columns: values.length }, values);
  }

  matrix(name: string, rows: number, values: Float32Array): AddedWeight {
    return this.#add(name, { kind: 'matrix', rows, columns: values.length / rows }, values);
  }

  #add(name: string, spec: Pick<WeightSpec, 'kind' | 'rows' | 'columns'>, values: Float32Array): AddedWeight {
    const one = { spec: { ...spec, name: this.#prefix + name, storedTransposed: false }, values };
    this.#added.push(one);
    return one;
  }

  /** Of each row the same numbers, by its segment: values [segments, width]. */
  bySegment(name: string, segments: number, values: Float32Array, ...shape: TensorSpec['shape']): string {
    const output = this.tensor(name, 'rows', ...shape);
    const weight = this.matrix(name, segments, values).spec.name;
    this.steps.push({ op: 'embed', tables: [{ weight, by: 'segment' }], output });
    return output;
  }

  multiply(name: string, a: string, b: string, axis: 'rows' | 'logitRows' = 'rows'): string {
    const output = this.tensor(name, axis, this.widthOf(a));
    this.steps.push({ op: 'binary', kind: 'multiply', a, b, output });
    return output;
  }

  /** The rows that are answered by. */
  select(name: string, input: string): string {
    const output = this.tensor(name, 'logitRows', this.widthOf(input));
    this.steps.push({ op: 'selectRows', input, output });
    return output;
  }

  /** The mean of an input's rows, in each of them, is attention that looks at all alike: its queries are zeros. */
  mean(name: string, input: string): string {
    const { nHead, headDim } = [...this.#plan.sources.values()][0]!;
    const source = `${this.#prefix}rows of ${name}`;
    this.#sources.set(source, { nHead, headDim, axis: 'rows' });
    const zeros = new Float32Array(segmentsOf(this.#plan) * nHead * headDim);
    const q = this.bySegment(`zeros of ${name}`, segmentsOf(this.#plan), zeros, nHead, headDim);
    const scores = this.tensor(`scores of ${name}`, nHead, 'rows', 'context');
    const pattern = this.tensor(`pattern of ${name}`, nHead, 'rows', 'context');
    const mean = this.tensor(name, 'rows', nHead, headDim);
    this.steps.push(
      { op: 'cacheAppend', k: q, v: input, source },
      { op: 'attentionScores', q, source, scale: 1, output: scores },
      { op: 'maskedSoftmax', input: scores, source, output: pattern },
      { op: 'attentionMix', pattern, source, output: mean },
    );
    return mean;
  }

  plan(vocabSize: number): Plan {
    const { added = [], weights } = this.#plan;
    return {
      ...this.#plan,
      ...{ vocabSize, tensors: this.#tensors, sources: this.#sources, steps: this.steps },
      ...{ weights: [...weights, ...this.#added.map(({ spec }) => spec)], added: [...added, ...this.#added] },
    };
  }
}

/** Kinds of rows that a plan tells apart. */
function segmentsOf({ steps, weights }: Plan): number {
  const tables = steps.flatMap((step) => (step.op === 'embed' ? step.tables : []));
  const table = tables.find(({ by }) => by === 'segment')?.weight;
  return weights.find(({ name }) => name === table)?.rows ?? 1;
}

const makesLogits = (step: Step) => stepOutputs(step).includes('logits');

/** A plan that goes on from the last hidden states to features and a head's logits. */
export function withHead(plan: Plan, featured: Featured, head: ClassHead): { plan: Plan; weights: HeadWeights } {
  const kind = featuresOf(featured);
  const { sentences } = featured;
  const before = plan.steps.filter((step) => !makesLogits(step));
  const all = new Additions(plan, before);
  let x = kind === 'pooler' ? 'pooler.hook_pooler_out' : (plan.aliases.get(featured.hidden) ?? featured.hidden);
  if (kind === 'embedding') x = pooled(x, sentences!.pooling, all);
  if (kind !== 'pooler') x = all.select('selected', x);
  for (const [i, step] of (kind === 'embedding' ? sentences!.steps : []).entries()) {
    x = step === 'normalize' ? unit(x, i, all) : layer(x, i, step, all);
  }
  const weight = all.matrix('weight', head.labels.length, head.weight);
  const bias = all.vector('bias', head.bias);
  const outputs = [all.logits(head.labels.length)];
  all.steps.push({ op: 'linear', input: x, weight: weight.spec.name, bias: bias.spec.name, outputs });
  return { plan: all.plan(head.labels.length), weights: { weight, bias } };
}

/**
 * DeiT with a teacher answers with the mean of its two heads, each on a row of its own. Here the second reads its row where the first does:
 * the mean of all rows of which but this one are 0, times how many they are.
 */
function withMean(plan: Plan): Plan {
  const { nCtx, vocabSize } = plan;
  const ofSecond = new Set(['distilled']);
  for (const step of [...plan.steps].reverse()) {
    if (step.op === 'selectRows' || !stepOutputs(step).some((name) => ofSecond.has(name))) continue;
    for (const name of stepInputs(step)) if (name !== 'selected') ofSecond.add(name);
  }
  const isOfSecond = (step: Step) => stepOutputs(step).some((name) => ofSecond.has(name));
  const before = plan.steps.filter((step) => !isOfSecond(step) && !makesLogits(step));
  const all = new Additions(plan, before);
  const hidden = plan.aliases.get('hidden')!;
  const width = all.widthOf(hidden);
  const segments = segmentsOf(plan);
  const only = new Float32Array(segments * width).fill(nCtx, width, 2 * width);
  const row = all.multiply('second row', hidden, all.bySegment('only the second', segments, only, width));
  const second = all.select('second', all.mean('second of all', row));
  for (const step of plan.steps) {
    if (step.op === 'linear' && isOfSecond(step))
      all.steps.push({ ...step, input: step.input === 'selected' ? second : step.input });
    else if (isOfSecond(step)) all.steps.push(step);
  }
  const first = all.tensor('first logits', 'logitRows', vocabSize);
  for (const step of plan.steps.filter(makesLogits)) {
    all.steps.push(step.op === 'linear' ? { ...step, outputs: [first] } : ({ ...step, output: first } as Step));
  }
  const sum = all.tensor('sum of both', 'logitRows', vocabSize);
  all.steps.push({ op: 'binary', kind: 'add', a: first, b: 'distilled', output: sum });
  const half = new Float32Array(segments * vocabSize).fill(0.5);
  const halves = all.select('halves', all.bySegment('half', segments, half, vocabSize));
  all.steps.push({ op: 'binary', kind: 'multiply', a: sum, b: halves, output: 'logits' });
  return all.plan(vocabSize);
}

function pooled(hidden: string, pooling: readonly string[], all: Additions): string {
  const [mode, ...more] = pooling;
  if (mode === 'cls') return hidden;
  if (mode === 'mean' && more.length === 0) return all.mean('mean', hidden);
  const hint = "Train with method: 'head', which takes its embeddings as they are.";
  throw badOption(`The model pools by ${pooling.join(' and ')}; expected mean or cls.`, hint);
}

/** The vector at length 1 is one by root mean square, divided by the root of its width. */
function unit(x: string, i: number, all: Additions): string {
  const width = all.widthOf(x);
  const weight = all.vector(`root ${i}`, new Float32Array(width).fill(width ** -0.5)).spec.name;
  const [scale, output] = [all.tensor(`scale ${i}`, 'logitRows', 1), all.tensor(`unit ${i}`, 'logitRows', width)];
  const norm = { epsilon: 1e-20, centred: false };
  all.steps.push({ op: 'normScale', input: x, output: scale, ...norm });
  all.steps.push({ op: 'norm', input: x, scale, output, weight, ...norm });
  return output;
}

function layer(x: string, i: number, { nOut, weight, bias, activation }: DenseLayer, all: Additions): string {
  if (activation === 'sigmoid') throw bad("The model's embedding ends in a sigmoid", "method: 'head'");
  const output = all.tensor(`dense ${i}`, 'logitRows', nOut);
  const own = {
    weight: all.matrix(`dense ${i}`, nOut, weight).spec.name,
    ...(bias && { bias: all.vector(`bias ${i}`, bias).spec.name }),
  };
  all.steps.push({ op: 'linear', input: x, ...own, outputs: [output] });
  if (activation === 'identity') return output;
  const active = all.tensor(`active ${i}`, 'logitRows', nOut);
  all.steps.push({ op: 'activation', kind: activation, input: output, output: active });
  return active;
}
