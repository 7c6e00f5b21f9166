import type { Adjoint, PointLoss } from './adjoint.ts';
import { recomputed, type Segment, segmentsOf } from './gradient-recompute.ts';
import type { Plan, Step, TensorEdit, TensorSpec } from './plan.ts';
import { stepInputs, stepOutputs, stepsOf, stepWeights } from './plan.ts';

/** What is differentiated: a loss of `logits`. */
export type Loss = 'crossEntropy' | PointLoss;

/** What gradients are wanted of, by the plan's own names. */
export interface Differentiated {
  tensors: readonly string[];
  weights: readonly string[];
  /** What blocks made is made again on the way back, and not kept until then. */
  recompute?: boolean;
}

export const gradOf = (tensor: string): string => `grad.${tensor}`;
export const gradOfWeight = (weight: string): string => `grad.weights:${weight}`;
/** The tensor of each logit row's loss. */
export const losses = 'losses';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;
type Append = Of<'cacheAppend'>;
/** An adjoint that writes a tensor, before its output is known. */
type Unwritten = Adjoint extends infer One
  ? One extends { output: string }
    ? Omit<One, 'op' | 'output' | 'adds'>
    : never
  : never;

/**
 * The plan with the steps of its gradient behind its own: reverse mode, the adjoint of each step, last to first. The gradient of a
 * tensor is `gradOf` it, of a weight `gradOfWeight` it, a tensor like any other, perhaps by a second name (`aliases`). What no wanted
 * gradient needs is left out; a wanted tensor that the loss does not depend on gets none. Edits are differentiated as they stand:
 * a gradient is of the edited value, and stops where it was set.
 */
export function gradient(plan: Plan, loss: Loss, wanted: Differentiated): Plan {
  const backward = new Backward(plan, wanted);
  const { encoder = [] } = plan;
  backward.begin(loss);
  const [own, encoders] = [backward.of(plan.steps, wanted.recompute), backward.of(encoder, wanted.recompute)];
  // Only now does each gradient have its name.
  const [steps, encoderBackward] = [[...plan.steps, ...backward.joined(own)], backward.joined(encoders)];
  return { ...backward.plan, steps, ...(plan.encoder && { encoderBackward }) };
}

class Backward {
  readonly plan: Plan;
  readonly #wanted: { tensors: ReadonlySet<string>; weights: ReadonlySet<string> };
  readonly #specs: Map<string, TensorSpec>;
  readonly #columns: Map<string, { rows: number; columns: number; isVector: boolean }>;
  /** Tensors and sources whose gradients lead to something wanted. */
  readonly #needed = new Set<string>();
  readonly #edited = new Map<string, TensorEdit[]>();
  /** What an attention step's source held: the step that filled it. */
  readonly #seen = new Map<Step, Append>();
  /** What each source holds now. */
  readonly #held = new Map<string, Append>();
  /** The gradient of a tensor as far as it is summed up, and the step that made it; without one it is another's. */
  readonly #sums = new Map<string, { name: string; maker?: { output: string } }>();
  readonly #done = new Set<string>();
  /** Weights, and parts of sources, that have a gradient already. */
  readonly #begun = new Set<string>();
  #steps: Step[] = [];
  #made = 0;

  constructor(plan: Plan, { tensors, weights }: Differentiated) {
    this.#specs = new Map(plan.tensors);
    this.plan = { ...plan, tensors: this.#specs, aliases: new Map(plan.aliases), sources: new Map(plan.sources) };
    this.#wanted = { tensors: new Set(tensors), weights: new Set(weights) };
    this.#columns = new Map(
      plan.weights.map(({ name, rows, columns, kind }) => [name, { rows, columns, isVector: kind === 'vector' }]),
    );
    for (const step of stepsOf(plan)) this.#read(step);
  }

  /** Goes forward: what depends on something wanted, and what each source holds when it is read. */
  #read(step: Step): void {
    if (step.op === 'edit') {
      this.#edited.set(step.tensor, [...(this.#edited.get(step.tensor) ?? []), ...step.edits]);
      return;
    }
    if (step.op === 'cacheAppend') {
      this.#held.set(step.source, step);
      for (const [part, name] of [
        ['k', step.k],
        ['v', step.v],
      ] as const) {
        this.#needed[this.#needed.has(name) ? 'add' : 'delete'](`${step.source}.${part}`);
      }
      return;
    }
    if (step.op === 'attentionScores' || step.op === 'attentionMix') this.#seen.set(step, this.#held.get(step.source)!);
    const part = step.op === 'attentionScores' ? 'k' : step.op === 'attentionMix' ? 'v' : undefined;
    const reads = [...stepInputs(step), ...(part && 'source' in step ? [`${step.source}.${part}`] : [])];
    const needs =
      stepWeights(step).some((name) => this.#wanted.weights.has(name)) || reads.some((name) => this.#needed.has(name));
    for (const name of stepOutputs(step)) if (needs || this.#wanted.tensors.has(name)) this.#needed.add(name);
  }

  begin(kind: Loss): void {
    this.#tensor(losses, { name: losses, shape: ['logitRows', 1] });
    const reads = { logits: 'logits' };
    const of =
      kind === 'crossEntropy' ? { of: kind, reads, losses } : { of: 'pointLoss' as const, kind, reads, losses };
    this.#add('logits', of, true);
  }

  /** The gradient of a list of steps, behind what is there already, block by block where these are made again. */
  of(steps: readonly Step[], recompute = false): Segment[] {
    const all = recompute ? segmentsOf(steps) : [steps];
    return [...all].reverse().map((forward) => {
      for (const step of [...forward].reverse()) {
        if (step.op === 'cacheAppend' || step.op === 'edit' || stepOutputs(step).some((name) => this.#sums.has(name)))
          this.#adjoint(step);
      }
      return { forward, backward: this.#steps.splice(0) };
    });
  }

  /** Of the last block nothing is made again: it is needed at once. */
  joined(segments: readonly Segment[]): Step[] {
    return segments.flatMap((segment, i) => {
      const others = segments.filter((one) => one !== segment).flatMap(({ forward }) => forward);
      return i > 0 ? recomputed(segment, others, this.#specs) : segment.backward;
    });
  }

  #adjoint(step: Step): void {
    switch (step.op) {
      case 'embed':
        return this.#embed(step);
      case 'input':
        return;
      case 'binary':
        return this.#binary(step);
      case 'normScale':
        return this.#normScale(step);
      case 'norm':
        return this.#norm(step);
      case 'selectRows':
        return this.#add(step.input, { of: 'selectRows', reads: { grad: this.#grad(step.output) } });
      case 'linear':
        if (step.lowRank)
          throw new Error('A gradient is made of a plan as written: it has no layer that takes a product along.');
        return this.#linear(step);
      case 'rotate':
        return this.#add(step.input, { of: 'rotate', reads: { grad: this.#grad(step.output) }, weight: step.table });
      case 'cacheAppend':
        return this.#append(step);
      case 'attentionScores':
        return this.#scores(step);
      case 'maskedSoftmax': {
        const reads = { grad: this.#grad(step.output), pattern: this.#unedited(step, step.output) };
        return this.#add(step.input, { of: 'maskedSoftmax', reads });
      }
      case 'attentionMix':
        return this.#mix(step);
      case 'activation': {
        const { kind, input } = step;
        return this.#add(input, { of: 'activation', kind, reads: { grad: this.#grad(step.output), input } });
      }
      case 'edit': {
        if (!this.#sums.has(step.tensor)) return;
        const reads = { grad: this.#grad(step.tensor) };
        this.#sums.delete(step.tensor);
        return this.#add(step.tensor, { of: 'edit', edits: step.edits, reads });
      }
      case 'attention':
      case 'rotateAppend':
      case 'adjoint':
        throw new Error(`A gradient is made of a plan as written: it has no ${step.op}.`);
      default:
        return step satisfies never;
    }
  }

  #embed({ tables, output }: Of<'embed'>): void {
    for (const { weight, by, first = 0, scale = 1, padding } of tables) {
      this.#addWeight(weight, { of: 'embed', reads: { grad: this.#grad(output) }, by, first, scale, padding });
    }
  }

  #binary({ kind, a, b, output }: Of<'binary'>): void {
    const grad = this.#grad(output);
    for (const [own, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (!this.#needed.has(own)) continue;
      if (kind === 'add') this.#join(own, grad);
      else {
        const product = this.#binaryStep('multiply', grad, other, own);
        this.#join(own, product.output, product);
      }
    }
  }

  #normScale(step: Of<'normScale'>): void {
    const { input, centred } = step;
    const reads = { grad: this.#grad(step.output), input, scale: this.#unedited(step, step.output) };
    this.#add(input, { of: 'normScale', reads, centred });
  }

  #norm({ input, scale = '', output, weight, bias, centred }: Of<'norm'>): void {
    const grad = this.#grad(output);
    const reads = { grad, input, scale };
    this.#addWeight(weight, { of: 'normWeight', reads, centred });
    if (bias !== undefined) this.#addWeight(bias, { of: 'columnSums', reads: { grads: [grad] } });
    // The scale is a tensor of its own only where somebody touches or looks at it.
    const fixed = this.#edited.has(scale) || this.#wanted.tensors.has(scale);
    if (fixed) this.#add(scale, { of: 'normByScale', reads, weight, centred });
    this.#add(input, { of: 'norm', reads, weight, centred, fixed });
  }

  #linear({ input, weight, bias, outputs }: Of<'linear'>): void {
    const grads = outputs.map((name) => this.#gradOrZero(name));
    this.#addWeight(weight, { of: 'linearWeight', reads: { grads, input } });
    if (bias !== undefined) this.#addWeight(bias, { of: 'columnSums', reads: { grads } });
    this.#add(input, { of: 'linear', reads: { grads }, weight });
  }

  #mix(step: Of<'attentionMix'>): void {
    const { pattern, output } = step;
    const seen = seenBy(step);
    const grad = this.#grad(output);
    if (this.#needed.has(pattern)) {
      this.#refill(step);
      this.#add(pattern, { of: 'attentionMix', reads: { grad }, ...seen });
    }
    this.#keys(step, 'v', { weights: pattern, vectors: grad }, 1);
  }

  #scores(step: Of<'attentionScores'>): void {
    const { q, output, scale, bias } = step;
    const seen = seenBy(step);
    const grad = this.#grad(output);
    if (this.#needed.has(q)) {
      this.#refill(step);
      this.#add(q, { of: 'attentionScores', reads: { grad }, scale, ...seen });
    }
    this.#keys(step, 'k', { weights: grad, vectors: q }, scale);
    if (bias !== undefined) this.#addWeight(bias, { of: 'bias', reads: { grad }, ...seen });
  }

  /** Puts back into a source what attention saw there, if other layers have filled it since. */
  #refill(step: Of<'attentionMix' | 'attentionScores'>): void {
    const append = this.#seen.get(step)!;
    if (this.#held.get(step.source) === append) return;
    this.#steps.push(append);
    this.#held.set(step.source, append);
  }

  #keys(
    step: Of<'attentionMix' | 'attentionScores'>,
    part: 'k' | 'v',
    reads: { weights: string; vectors: string },
    scale: number,
  ): void {
    if (!this.#needed.has(this.#seen.get(step)![part])) return;
    const into = gradOf(step.source);
    this.plan.sources.set(into, this.plan.sources.get(step.source)!);
    const key = `${into}.${part}`;
    const adds = this.#begun.has(key);
    this.#begun.add(key);
    this.#steps.push({ op: 'adjoint', of: 'keys', reads, part, scale, into, adds, ...seenBy(step) });
  }

  #append({ k, v, source }: Append): void {
    for (const [part, name] of [
      ['k', k],
      ['v', v],
    ] as const) {
      if (!this.#begun.delete(`${gradOf(source)}.${part}`)) continue;
      this.#add(name, { of: 'cacheAppend', reads: {}, source: gradOf(source), part });
    }
  }

  /** The finished gradient of a tensor: all that reads it has been gone through. */
  #grad(tensor: string): string {
    const sum = this.#sums.get(tensor)!;
    const name = gradOf(tensor);
    if (this.#done.has(tensor)) return sum.name;
    this.#done.add(tensor);
    if (!sum.maker) {
      this.plan.aliases.set(name, sum.name);
      return sum.name;
    }
    this.#specs.delete(sum.name);
    this.#tensor(name, this.#specs.get(tensor)!);
    sum.maker.output = name;
    sum.name = name;
    return name;
  }

  /** As `#grad`; 0 for an output that nobody used, of a layer with several. */
  #gradOrZero(tensor: string): string {
    if (this.#sums.has(tensor)) return this.#grad(tensor);
    const edits: TensorEdit[] = [{ kind: 'set', positions: undefined, heads: undefined, values: 0, shared: true }];
    this.#add(tensor, { of: 'edit', reads: { grad: tensor }, edits }, true);
    return this.#grad(tensor);
  }

  /** What a step made, where an edit changed it behind the step: made once more. */
  #unedited(step: Of<'normScale' | 'maskedSoftmax'>, tensor: string): string {
    if (!this.#edited.has(tensor)) return tensor;
    const output = `${tensor}.unedited`;
    this.#tensor(output, this.#specs.get(tensor)!);
    this.#steps.push({ ...step, output });
    return output;
  }

  /** Adds an adjoint's result to a tensor's gradient. */
  #add(tensor: string, step: Unwritten, always = false): void {
    if (!always && !this.#needed.has(tensor)) return;
    const before = this.#sums.get(tensor);
    const takes = before && (step.of === 'linear' || step.of === 'norm');
    const reads = takes ? { ...step.reads, residual: before.name } : step.reads;
    const output = this.#part(tensor);
    const made = { op: 'adjoint', ...step, reads, output } as Extract<Adjoint, { output: string }>;
    this.#steps.push(made);
    if (takes) this.#sums.set(tensor, { name: output, maker: made });
    else this.#join(tensor, output, made);
  }

  /** Adds a tensor to a tensor's gradient. */
  #join(tensor: string, name: string, maker?: { output: string }): void {
    const before = this.#sums.get(tensor);
    if (!before) this.#sums.set(tensor, { name, ...(maker && { maker }) });
    else {
      const sum = this.#binaryStep('add', before.name, name, tensor);
      this.#sums.set(tensor, { name: sum.output, maker: sum });
    }
  }

  #binaryStep(kind: 'add' | 'multiply', a: string, b: string, tensor: string): Of<'binary'> {
    const step: Of<'binary'> = { op: 'binary', kind, a, b, output: this.#part(tensor) };
    this.#steps.push(step);
    return step;
  }

  /** A tensor for a part of a gradient, until it turns out to be the whole. */
  #part(tensor: string): string {
    return this.#tensor(`${gradOf(tensor)}#${++this.#made}`, this.#specs.get(tensor)!);
  }

  #addWeight(weight: string, step: Unwritten): void {
    if (!this.#wanted.weights.has(weight)) return;
    const output = gradOfWeight(weight);
    const { rows, columns, isVector } = this.#columns.get(weight)!;
    this.#tensor(output, { name: output, shape: isVector ? [columns] : [rows, columns] });
    this.#steps.push({ op: 'adjoint', ...step, output, adds: this.#begun.has(output) } as Adjoint);
    this.#begun.add(output);
  }

  #tensor(name: string, { shape }: TensorSpec): string {
    this.#specs.set(name, { name, shape });
    return name;
  }
}

const seenBy = ({ source, window }: { source: string; window?: number }) => ({
  source,
  ...(window !== undefined && { window }),
});
