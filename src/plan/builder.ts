import type { Activation, EmbedTable, KeySource, Norm, Plan, Step, TensorSpec, WeightSpec } from './plan.ts';

/** A linear layer's weight [out, in] and bias. */
export interface Layer {
  weight: string;
  bias?: string;
}

/** A tensor to be made: its name and the axes behind its rows. */
export type Output = readonly [name: string, ...axes: number[]];

/** How a weight is stored, where that is not as [rows, columns] under its own name. */
type Stored = Pick<WeightSpec, 'storedShape' | 'parts' | 'order' | 'isBuffer' | 'computed'> & {
  storedTransposed?: boolean;
};

/**
 * Writes a plan down step by step. Each method adds a step, or a few, and gives the name of the tensor that they make, so that
 * a block reads `x = add(x, attention(norm(x)))`.
 */
export class PlanBuilder {
  readonly #weights = new Map<string, WeightSpec>();
  readonly #tensors = new Map<string, TensorSpec>();
  readonly #aliases = new Map<string, string>();
  readonly #sources = new Map<string, KeySource>();
  #encoder: Step[] | undefined;
  #steps: Step[] = [];

  /** A matrix used as [rows, columns]. Named twice it is the same one: an output layer tied to the words. */
  matrix(name: string, rows: number, columns: number, stored: Stored = {}): string {
    if (!this.#weights.has(name)) {
      this.#weights.set(name, { name, kind: 'matrix', rows, columns, storedTransposed: false, ...stored });
    }
    return name;
  }

  vector(name: string, columns: number, stored: Stored = {}): string {
    this.#weights.set(name, { name, kind: 'vector', rows: 1, columns, storedTransposed: false, ...stored });
    return name;
  }

  /** The layer `name.weight` [nOut, nIn] with `name.bias`. */
  layer(name: string, nIn: number, nOut: number, { bias = true, ...stored }: Stored & { bias?: boolean } = {}): Layer {
    const weight = this.matrix(`${name}.weight`, nOut, nIn, stored);
    const order = stored.order && { order: stored.order };
    return bias ? { weight, bias: this.vector(`${name}.bias`, nOut, order) } : { weight };
  }

  /** Several layers over one input as one, `prefix.name.weight` for each name, their outputs side by side. */
  layers(prefix: string, names: readonly string[], nIn: number, nOut: readonly number[], bias = true): Layer {
    const together = `${prefix}.${names.join('+')}`;
    const sum = nOut.reduce((a, b) => a + b, 0);
    const parts = (kind: string) => names.map((name, i) => ({ name: `${prefix}.${name}.${kind}`, length: nOut[i]! }));
    const weight = this.matrix(`${together}.weight`, sum, nIn, { parts: parts('weight') });
    return bias ? { weight, bias: this.vector(`${together}.bias`, sum, { parts: parts('bias') }) } : { weight };
  }

  /** Outputs of a layer. */
  widthOf({ weight }: Layer): number {
    return this.#weights.get(weight)!.rows;
  }

  layerNorm(name: string, width: number, epsilon: number): Norm {
    const [weight, bias] = [this.vector(`${name}.weight`, width), this.vector(`${name}.bias`, width)];
    return { weight, bias, epsilon, centred: true };
  }

  rmsNorm(name: string, width: number, epsilon: number): Norm {
    return { weight: this.vector(`${name}.weight`, width), epsilon, centred: false };
  }

  source(name: string, source: KeySource): string {
    this.#sources.set(name, source);
    return name;
  }

  sourceOf(name: string): KeySource {
    return this.#sources.get(name)!;
  }

  tensor(name: string, ...shape: TensorSpec['shape']): string {
    this.#tensors.set(name, { name, shape });
    return name;
  }

  /** Another name of a tensor. */
  alias(name: string, tensor: string): void {
    this.#aliases.set(name, tensor);
  }

  step(step: Step): void {
    this.#steps.push(step);
  }

  /** A step, for the tensor that it makes. */
  #make(step: Step & { output: string }): string {
    this.#steps.push(step);
    return step.output;
  }

  embed(name: string, ...tables: EmbedTable[]): string {
    const output = this.tensor(name, 'rows', this.#weights.get(tables[0]!.weight)!.columns);
    return this.#make({ op: 'embed', tables, output });
  }

  input(name: string, width: number): string {
    const output = this.tensor(name, 'rows', width);
    return this.#make({ op: 'input', output });
  }

  add(name: string, a: string, b: string): string {
    return this.#binary('add', name, a, b);
  }

  multiply(name: string, a: string, b: string): string {
    return this.#binary('multiply', name, a, b);
  }

  #binary(kind: 'add' | 'multiply', name: string, a: string, b: string): string {
    const output = this.#like(name, a);
    return this.#make({ op: 'binary', kind, a, b, output });
  }

  /** A tensor of the shape of another. */
  #like(name: string, other: string): string {
    return this.tensor(name, ...this.#tensors.get(other)!.shape);
  }

  /** x -> hook.hook_scale, and normed `name` */
  norm(hook: string, input: string, norm: Norm, name = `${hook}.hook_normalized`): string {
    const { epsilon, centred } = norm;
    const scale = this.tensor(`${hook}.hook_scale`, ...this.#tensors.get(input)!.shape.slice(0, -1), 1);
    const output = this.#like(name, input);
    if (name !== `${hook}.hook_normalized`) this.alias(`${hook}.hook_normalized`, name);
    this.step({ op: 'normScale', input, output: scale, epsilon, centred });
    return this.#make({ op: 'norm', input, scale, output, ...norm });
  }

  activate(name: string, kind: Activation, input: string): string {
    const output = this.#like(name, input);
    return this.#make({ op: 'activation', kind, input, output });
  }

  /** x weightᵀ + bias; its columns go to the outputs side by side. */
  linear(input: string, layer: Layer, ...outputs: Output[]): string[] {
    const rows = this.#tensors.get(input)!.shape[0]!;
    const names = outputs.map(([name, ...axes]) => this.tensor(name, rows, ...axes));
    this.step({ op: 'linear', input, ...layer, outputs: names });
    return names;
  }

  /** x weightᵀ + bias, whole. */
  dense(name: string, input: string, layer: Layer): string {
    return this.linear(input, layer, [name, this.widthOf(layer)])[0]!;
  }

  /** The rows whose logits are wanted. */
  select(name: string, input: string): string {
    const output = this.tensor(name, 'logitRows', ...this.#tensors.get(input)!.shape.slice(1));
    return this.#make({ op: 'selectRows', input, output });
  }

  /** Each head's first pairs turned by position. */
  rotate(name: string, input: string, table: string): string {
    const output = this.#like(name, input);
    return this.#make({ op: 'rotate', input, table, output });
  }

  append(k: string, v: string, source: string): void {
    this.step({ op: 'cacheAppend', k, v, source });
  }

  /** Attention of queries [rows, nHead, headDim] over a source: `hook.hook_attn_scores`, `hook_pattern`, and z. */
  attention(
    hook: string,
    q: string,
    source: string,
    scale: number,
    { bias, window }: { bias?: string; window?: number | undefined } = {},
  ): string {
    const [, nHead, headDim] = this.#tensors.get(q)!.shape as [string, number, number];
    const keys = this.#sources.get(source)!.axis === 'source' ? 'source' : 'context';
    const scores = this.tensor(`${hook}.hook_attn_scores`, nHead, 'rows', keys);
    const pattern = this.tensor(`${hook}.hook_pattern`, nHead, 'rows', keys);
    const z = this.tensor(`${hook}.hook_z`, 'rows', nHead, headDim);
    const keysSeen = { source, ...(window !== undefined && { window }) };
    this.step({ op: 'attentionScores', q, ...keysSeen, scale, output: scores, ...(bias !== undefined && { bias }) });
    this.step({ op: 'maskedSoftmax', input: scores, ...keysSeen, output: pattern });
    this.step({ op: 'attentionMix', pattern, ...keysSeen, output: z });
    return z;
  }

  /** What was written so far is the encoder; what follows reads its memory. */
  endEncoder(): void {
    this.#encoder = this.#steps;
    this.#steps = [];
  }

  plan(sizes: { nCtx: number; vocabSize: number }): Plan {
    return {
      ...sizes,
      weights: [...this.#weights.values()],
      tensors: this.#tensors,
      aliases: this.#aliases,
      sources: this.#sources,
      ...(this.#encoder && { encoder: this.#encoder }),
      steps: this.#steps,
    };
  }
}
