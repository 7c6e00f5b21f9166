import type { AddedWeight, ClassHead, HeadForm } from '../plan/plan.ts';
import { featuredOf, features, headLogits } from '../run/features.ts';
import { largest } from '../run/heads.ts';
import type { Insides } from '../run/insides.ts';
import type { HeadWeights } from './answering.ts';
import type { Evaluation } from './checkpoint.ts';
import type { Read } from './examples.ts';
import type { RunMemory } from './memory.ts';
import { normOf, take } from './optimiser.ts';
import type { Settings } from './options.ts';
import { type Param, type ParamCopy, setParam } from './params.ts';
import { type Judged, judgement } from './training.ts';

/** The names of a head's parameters in a checkpoint of a run. */
const names = { weight: 'head.weight', bias: 'head.bias' };

/** A head of zeros. */
export function newHead(form: HeadForm, width: number): ClassHead {
  const { length } = form.labels;
  return { ...form, weight: new Float32Array(length * width), bias: new Float32Array(length) };
}

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

export const isOfHead = ({ name }: { name: string }) => name === names.weight || name === names.bias;

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

  static async of(inside: Insides, head: ClassHead, settings: Settings, examples: readonly Read[]) {
    const inputs = examples.map(({ input }) => input);
    // Features are the base's: what was on gives way to what is learnt.
    const found = await features(featuredOf(inside), inputs, settings.signal, inside.engine.base);
    return new HeadTrainer(head, settings, new Map(examples.map((one, i) => [one, found[i]!])));
  }

  async gradients(batches: readonly (readonly Read[])[]) {
    this.#settings.signal?.throwIfAborted();
    const list = batches.flat();
    const zeros = this.params.map(({ values }) => new Float32Array(values.length));
    const [weight, bias] = zeros as [Float32Array, Float32Array];
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
  const slopes = logits.map((x, i) => (isSquared ? 2 * (x - labels[i]!) : 1 / (1 + Math.exp(-x)) - labels[i]!));
  return { loss, slopes };
}
