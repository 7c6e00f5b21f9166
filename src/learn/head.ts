import type { EncoderConfig } from '../model/bert.ts';
import type { DenseLayer } from '../model/sentence.ts';
import { VitrineError } from '../plan/error.ts';
import type { AddedWeight, ClassHead, Plan, Step, TensorSpec, WeightSpec } from '../plan/plan.ts';
import type { Encoder } from '../run/encoder.ts';
import type { IdsText } from '../run/encoder-input.ts';
import { features, featuresOf, headLogits } from '../run/features.ts';
import { type Headed, largest, using } from '../run/heads.ts';
import type { Read } from './examples.ts';
import { bad, type Head } from './loss.ts';
import type { RunMemory } from './memory.ts';
import { normOf, take } from './optimiser.ts';
import type { Settings } from './options.ts';
import { type Param, type ParamCopy, setParam } from './params.ts';
import { type Evaluation, type Judged, judgement } from './training.ts';

/** The names of a head's parameters in a checkpoint of a run. */
const names = { weight: 'head.weight', bias: 'head.bias' };

/** A head of zeros, or that of a run which goes on. */
export function newHead(labels: readonly string[], width: number): ClassHead {
  return { labels, weight: new Float32Array(labels.length * width), bias: new Float32Array(labels.length) };
}

/** What a head answers. */
export const asHead = (labels: readonly string[]): Head => ({
  ...{ kind: 'encoder', width: labels.length, isWhole: true, labels, problemType: undefined },
});

/** A head's parameters. `isFast`: it begins at nothing. */
export function headParams({ labels, weight, bias }: ClassHead, isFast: boolean, plan?: HeadWeights): Param[] {
  const param = (name: string, values: Float32Array, shape: number[], added?: AddedWeight): Param => ({
    ...{ name, shape, values, decays: shape.length > 1, isFast },
    moments: { first: new Float32Array(values.length), second: new Float32Array(values.length) },
    gradientOf: (gradients) => gradients.get(added?.spec.name ?? name),
    write: () => (added ? [added] : []),
  });
  const width = weight.length / labels.length;
  return [
    param(names.weight, weight, [labels.length, width], plan?.weight),
    param(names.bias, bias, [labels.length], plan?.bias),
  ];
}

export interface HeadWeights {
  weight: AddedWeight;
  bias: AddedWeight;
}

export const isOfHead = ({ name }: { name: string }) => name === names.weight || name === names.bias;

/** The width of an encoder's features. */
export const widthOfFeatures = ({ sentences, config }: Pick<Headed, 'sentences' | 'config'>): number =>
  featuresOf({ sentences, config }) === 'embedding' ? sentences.width : config.nEmbd;

/** A head alone, over features that are made once. */
export class HeadTrainer {
  readonly params: Param[];
  readonly #head: ClassHead;
  readonly #settings: Settings;
  readonly #features: ReadonlyMap<Read, Float32Array>;

  private constructor(head: ClassHead, settings: Settings, all: ReadonlyMap<Read, Float32Array>) {
    this.#head = head;
    this.#settings = settings;
    this.#features = all;
    this.params = headParams(head, false);
  }

  static async of(
    model: Encoder,
    head: ClassHead,
    settings: Settings,
    examples: readonly Read[],
  ): Promise<HeadTrainer> {
    const texts = examples.map(({ input }) => input as IdsText);
    const found = await model[using]((headed) => features(headed, texts, settings.signal));
    return new HeadTrainer(head, settings, new Map(examples.map((one, i) => [one, found[i]!])));
  }

  async gradients(batches: readonly (readonly Read[])[]) {
    this.#settings.signal?.throwIfAborted();
    const list = batches.flat();
    const [weight, bias] = this.params.map(({ values }) => new Float32Array(values.length)) as [
      Float32Array,
      Float32Array,
    ];
    const count = list.reduce((sum, { lost }) => sum + lost.count, 0);
    let [loss, tokens] = [0, 0];
    for (const one of list) {
      const input = this.#features.get(one)!;
      const { loss: own, slopes } = lossOf(one, headLogits(this.#head, input));
      loss += own / count;
      tokens += one.input.rows.length;
      for (const [label, slope] of slopes.entries()) {
        bias[label]! += slope / count;
        for (let i = 0; i < input.length; i++) weight[label * input.length + i]! += (slope * input[i]!) / count;
      }
    }
    const gradients = [weight, bias];
    return { loss, tokens, gradients, norm: normOf(gradients) };
  }

  update(gradients: readonly Float32Array[], norm: number, step: number, rate: number): void {
    take(this.params, gradients, { norm, step, rate }, this.#settings);
  }

  restore(before: readonly ParamCopy[]): void {
    for (const [i, param] of this.params.entries()) setParam(param, before[i]!);
  }

  async evaluate(examples: readonly Read[]): Promise<Evaluation> {
    let loss = 0;
    const judged: Judged[] = [];
    for (const one of examples) {
      const logits = headLogits(this.#head, this.#features.get(one)!);
      loss += lossOf(one, logits).loss / examples.reduce((sum, { lost }) => sum + lost.count, 0);
      if (one.label !== undefined) judged.push({ label: one.label, predicted: largest(logits, 1)[0]! });
    }
    return { loss, ...judgement(judged) };
  }

  /** Features are made by runs of the encoder, which take what those of `embed` do. */
  async memory(): Promise<Omit<RunMemory, 'bytes'>> {
    const bytes = (arrays: readonly Float32Array[]) => arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const optimiser = bytes([...this.#features.values()]) + 4 * bytes(this.params.map(({ values }) => values));
    return { activations: 0, weights: 0, optimiser, recompute: false };
  }

  dispose(): void {}
}

/** The loss of an example's logits and its slopes, as `crossEntropy` and `pointLoss` have them. */
function lossOf({ lost: { kind, labels } }: Read, logits: Float64Array): { loss: number; slopes: Float64Array } {
  if (kind === 'crossEntropy') {
    const most = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
    const slopes = logits.map((logit, i) => Math.exp(logit - most) / sum - +(i === labels[0]));
    return { loss: most + Math.log(sum) - logits[labels[0]!]!, slopes };
  }
  const isSquared = kind === 'squared';
  const loss = logits.reduce((total, x, i) => {
    const y = labels[i]!;
    return total + (isSquared ? (x - y) ** 2 : Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) - x * y);
  }, 0);
  return {
    loss,
    slopes: logits.map((x, i) => (isSquared ? 2 * (x - labels[i]!) : 1 / (1 + Math.exp(-x)) - labels[i]!)),
  };
}

let made = 0;

/** A plan that goes on from an encoder's last hidden states to features and a head's logits, all in steps that can be differentiated. */
export function withHead(
  plan: Plan,
  headed: Pick<Headed, 'sentences' | 'config'>,
  head: ClassHead,
): { plan: Plan; weights: HeadWeights } {
  const kind = featuresOf(headed);
  const { sentences, config } = headed;
  const tensors = new Map(plan.tensors);
  const steps = plan.steps.filter((step) => !('outputs' in step && step.outputs.includes('logits')));
  const added: AddedWeight[] = [];
  const sources = new Map(plan.sources);
  const prefix = `adapter head ${++made}: `;
  const tensor = (name: string, ...shape: TensorSpec['shape']) => {
    tensors.set(prefix + name, { name: prefix + name, shape });
    return prefix + name;
  };
  const add = (name: string, spec: Pick<WeightSpec, 'kind' | 'rows' | 'columns'>, values: Float32Array) => {
    const one = { spec: { ...spec, name: prefix + name, storedTransposed: false }, values };
    added.push(one);
    return one;
  };
  const vector = (name: string, values: Float32Array) =>
    add(name, { kind: 'vector', rows: 1, columns: values.length }, values);
  const matrix = (name: string, rows: number, values: Float32Array) =>
    add(name, { kind: 'matrix', rows, columns: values.length / rows }, values);
  let x = kind === 'pooler' ? 'pooler.hook_pooler_out' : plan.aliases.get('hidden')!;
  if (kind === 'embedding') x = pooled(x, { sentences, config, steps, tensor, sources, matrix });
  if (kind !== 'pooler') {
    const selected = tensor('selected', 'logitRows', config.nEmbd);
    steps.push({ op: 'selectRows', input: x, output: selected });
    x = selected;
  }
  for (const [i, step] of (kind === 'embedding' ? sentences.steps : []).entries()) {
    x =
      step === 'normalize'
        ? unit(x, i, { steps, tensor, vector, tensors })
        : layer(x, i, step, { steps, tensor, matrix, vector });
  }
  const weight = matrix('weight', head.labels.length, head.weight);
  const bias = vector('bias', head.bias);
  tensors.set('logits', { name: 'logits', shape: ['logitRows', head.labels.length] });
  steps.push({ op: 'linear', input: x, weight: weight.spec.name, bias: bias.spec.name, outputs: ['logits'] });
  const all = [...(plan.added ?? []), ...added];
  const weights = [...plan.weights, ...added.map(({ spec }) => spec)];
  return {
    plan: { ...plan, vocabSize: head.labels.length, tensors, sources, steps, weights, added: all },
    weights: { weight, bias },
  };
}

interface Making {
  steps: Step[];
  tensor(name: string, ...shape: TensorSpec['shape']): string;
  vector(name: string, values: Float32Array): AddedWeight;
  matrix(name: string, rows: number, values: Float32Array): AddedWeight;
  tensors: ReadonlyMap<string, TensorSpec>;
  sources: Map<string, Plan['sources'] extends Map<string, infer Source> ? Source : never>;
}

/** The mean of a text's rows is attention that looks at all alike: its queries are zeros. */
function pooled(
  hidden: string,
  {
    sentences,
    config,
    steps,
    tensor,
    sources,
    matrix,
  }: Pick<Headed, 'sentences' | 'config'> & Pick<Making, 'steps' | 'tensor' | 'sources' | 'matrix'>,
): string {
  const [mode, ...more] = sentences.pooling;
  if (mode === 'cls') return hidden;
  if (mode !== 'mean' || more.length > 0) {
    throw new VitrineError(
      'bad-option',
      `The model pools by ${sentences.pooling.join(' and ')}; expected mean or cls.`,
      {
        hint: "Train with method: 'head', which takes its embeddings as they are.",
      },
    );
  }
  const { nHead, nEmbd, nSegments } = config as EncoderConfig & { nSegments?: number };
  const headDim = nEmbd / nHead;
  const source = 'adapter head: text';
  sources.set(source, { nHead, headDim, axis: 'rows' });
  const segments = Math.max(1, nSegments ?? 1);
  const zeros = matrix('zeros', segments, new Float32Array(segments * nEmbd)).spec.name;
  const q = tensor('zeros', 'rows', nHead, headDim);
  const scores = tensor('scores', nHead, 'rows', 'context');
  const pattern = tensor('pattern', nHead, 'rows', 'context');
  const mean = tensor('mean', 'rows', nHead, headDim);
  steps.push(
    { op: 'embed', tables: [{ weight: zeros, by: 'segment' }], output: q },
    { op: 'cacheAppend', k: q, v: hidden, source },
    { op: 'attentionScores', q, source, scale: 1, output: scores },
    { op: 'maskedSoftmax', input: scores, source, output: pattern },
    { op: 'attentionMix', pattern, source, output: mean },
  );
  return mean;
}

/** The vector at length 1 is one by root mean square, divided by the root of its width. */
function unit(
  x: string,
  i: number,
  { steps, tensor, vector, tensors }: Pick<Making, 'steps' | 'tensor' | 'vector' | 'tensors'>,
): string {
  const width = tensors.get(x)!.shape[1] as number;
  const weight = vector(`root ${i}`, new Float32Array(width).fill(width ** -0.5)).spec.name;
  const [scale, output] = [tensor(`scale ${i}`, 'logitRows', 1), tensor(`unit ${i}`, 'logitRows', width)];
  const norm = { epsilon: 1e-20, centred: false };
  steps.push({ op: 'normScale', input: x, output: scale, ...norm });
  steps.push({ op: 'norm', input: x, scale, output, weight, ...norm });
  return output;
}

function layer(
  x: string,
  i: number,
  { nOut, weight, bias, activation }: DenseLayer,
  { steps, tensor, matrix, vector }: Pick<Making, 'steps' | 'tensor' | 'matrix' | 'vector'>,
): string {
  if (activation === 'sigmoid') throw bad("The model's embedding ends in a sigmoid", "method: 'head'");
  const output = tensor(`dense ${i}`, 'logitRows', nOut);
  const own = {
    weight: matrix(`dense ${i}`, nOut, weight).spec.name,
    ...(bias && { bias: vector(`bias ${i}`, bias).spec.name }),
  };
  steps.push({ op: 'linear', input: x, ...own, outputs: [output] });
  if (activation === 'identity') return output;
  const active = tensor(`active ${i}`, 'logitRows', nOut);
  steps.push({ op: 'activation', kind: activation, input: output, output: active });
  return active;
}
