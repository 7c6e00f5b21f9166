import type { AddedWeight, EmbedTable, Plan, Step, TensorSpec, WeightSpec } from './plan.ts';
import { piecesOf } from './plan.ts';

/** What is added to a weight: b a. `a` [rank, inputs], or of an embedding [rank, words]; b [outputs, rank], rows as they are stored, with its scale in it. */
export interface Product {
  a: Float32Array;
  b: Float32Array;
  rank: number;
}

/** Which uses of a weight: a table that is looked up may also be the output layer, and be looked up in two parts of a model. */
export type Uses = 'all' | 'layers' | 'lookups' | 'lookups of the encoder' | 'lookups of the decoder';

/** Changes to a plan, by the names of its weights, of linear layers by those of their parts. */
export interface Changes {
  layers: ReadonlyMap<string, Product>;
  tables: readonly ({ name: string; uses: Uses } & Product)[];
  /** Weights in place of whole ones, their rows as the plan keeps them. */
  replaced: readonly { name: string; uses: Uses; values: Float32Array }[];
  /** Stored tensors that weights are computed from, in place of the base's; those weights are among the replaced. */
  sources: ReadonlyMap<string, Float32Array>;
}

/**
 * The plan with an adapter's changes. Its own tensors keep their names and shapes.
 * @param id names the weights apart from those of other adapters
 */
export function adapted(plan: Plan, changes: Changes, id: number): Plan {
  const adapter = new Adapting(plan, changes, `adapter ${id}: `);
  const encoder = plan.encoder && adapter.steps(plan.encoder, 'encoder');
  const steps = adapter.steps(plan.steps, 'decoder');
  const added = [...adapter.added.values()];
  const weights = [...plan.weights.filter(({ name }) => adapter.kept.has(name)), ...added.map(({ spec }) => spec)];
  return { ...plan, weights, tensors: adapter.tensors, ...(encoder && { encoder }), steps, added };
}

/** Whether a use of a weight, in a part of a model, is among some. */
export function covers(uses: Uses, isLookup: boolean, part: 'encoder' | 'decoder'): boolean {
  if (uses === 'all') return true;
  return isLookup ? uses === 'lookups' || uses === `lookups of the ${part}` : uses === 'layers';
}

/** Ranks are rounded up to few sizes, so that adapters of other ranks find their kernels compiled. */
const padded = (rank: number): number => Math.max(8, 2 ** Math.ceil(Math.log2(rank)));

class Adapting {
  readonly added = new Map<string, AddedWeight>();
  readonly tensors: Map<string, TensorSpec>;
  /** Weights of the base that are still read. */
  readonly kept = new Set<string>();
  readonly #specs: ReadonlyMap<string, WeightSpec>;
  readonly #changes: Changes;
  readonly #prefix: string;
  #part: 'encoder' | 'decoder' = 'decoder';

  constructor(plan: Plan, changes: Changes, prefix: string) {
    this.tensors = new Map(plan.tensors);
    this.#specs = new Map(plan.weights.map((spec) => [spec.name, spec]));
    this.#changes = changes;
    this.#prefix = prefix;
  }

  steps(steps: readonly Step[], part: 'encoder' | 'decoder'): Step[] {
    this.#part = part;
    return steps.flatMap((step) => {
      const changed = this.#withReplaced(step);
      if (step.op === 'linear' && changed.op === 'linear') return this.#linear(changed, this.#specs.get(step.weight)!);
      if (step.op === 'embed' && changed.op === 'embed') return this.#embed(changed, step.tables);
      return [changed];
    });
  }

  /** The step over the weights that stand in place of the base's. */
  #withReplaced(step: Step): Step {
    const of = (name: string, lookup = false) => this.#replaced(name, lookup);
    const optional = (name: string | undefined) => name !== undefined && { bias: of(name) };
    switch (step.op) {
      case 'embed':
        return { ...step, tables: step.tables.map((table) => ({ ...table, weight: of(table.weight, true) })) };
      case 'norm':
      case 'linear':
        return { ...step, weight: of(step.weight), ...optional(step.bias) };
      case 'rotate':
        return { ...step, table: of(step.table) };
      case 'attentionScores':
      case 'attention':
        return { ...step, ...optional(step.bias) };
      default:
        return step;
    }
  }

  #replaced(name: string, isLookup: boolean): string {
    const found = this.#changes.replaced.find((one) => one.name === name && covers(one.uses, isLookup, this.#part));
    if (!found) {
      this.kept.add(name);
      return name;
    }
    const { order: _, computed: __, ...spec } = this.#specs.get(name)!;
    // It goes by the names of the base's.
    return this.#add(`${name}, ${found.uses}`, { ...spec, parts: piecesOf(this.#specs.get(name)!) }, found.values);
  }

  #add(name: string, spec: Omit<WeightSpec, 'name'>, values: Float32Array): string {
    const whole = `${this.#prefix}${name}`;
    if (!this.added.has(whole)) this.added.set(whole, { spec: { ...spec, name: whole }, values });
    return whole;
  }

  #tensor(name: string, ...shape: TensorSpec['shape']): string {
    const whole = `${this.#prefix}${name}`;
    this.tensors.set(whole, { name: whole, shape });
    return whole;
  }

  #linear(step: Step & { op: 'linear' }, spec: WeightSpec): Step[] {
    const parts = piecesOf(spec);
    const products = parts.map(({ name }) => this.#changes.layers.get(name));
    const rank = padded(Math.max(0, ...products.map((product) => product?.rank ?? 0)));
    if (products.every((product) => product === undefined)) return [step];
    const down = new Float32Array(parts.length * rank * spec.columns);
    const up = new Float32Array(spec.rows * rank);
    let first = 0;
    products.forEach((product, p) => {
      const { length } = parts[p]!;
      if (product) {
        down.set(product.a, p * rank * spec.columns);
        for (let i = 0; i < length; i++) {
          const from = (spec.order ? spec.order(first + i) - first : i) * product.rank;
          up.set(product.b.subarray(from, from + product.rank), (first + i) * rank);
        }
      }
      first += length;
    });
    const [nRows] = this.tensors.get(step.outputs[0]!)!.shape;
    const input = this.#tensor(`${step.outputs[0]}, low`, nRows!, parts.length * rank);
    const plain = { storedTransposed: false } as const;
    const downSpec = { kind: 'matrix', rows: parts.length * rank, columns: spec.columns, ...plain } as const;
    const upSpec = { kind: 'vector', rows: 1, columns: spec.rows * rank, ...plain } as const;
    const weight = this.#add(`${spec.name}, down`, downSpec, down);
    const upWeight = this.#add(`${spec.name}, up`, upSpec, up);
    const lowRank = { input, rank, parts: parts.map(({ length }) => length), weight: upWeight };
    const low: Step = { op: 'linear', input: step.input, weight, outputs: [input] };
    return [low, { ...step, lowRank }];
  }

  /** output = the tables' sum + what each product of a table adds: its own row of a, through b. */
  #embed(step: Step & { op: 'embed' }, tables: readonly EmbedTable[]): Step[] {
    const products = tables.flatMap((table) => {
      const found = this.#changes.tables.find((one) => one.name === table.weight && covers(one.uses, true, this.#part));
      if (!found) return [];
      const { a, b, rank, uses } = found;
      const words = a.length / rank;
      const rows = a.map((_, at) => a[(at % rank) * words + Math.floor(at / rank)]!);
      const plain = { kind: 'matrix', storedTransposed: false, columns: rank } as const;
      const weight = this.#add(`${table.weight}, rows, ${uses}`, { ...plain, rows: words }, rows);
      const up = this.#add(`${table.weight}, up, ${uses}`, { ...plain, rows: b.length / rank }, b);
      return [{ table: { ...table, weight }, up, rank }];
    });
    return withProducts(step, products, this.tensors, this.#prefix);
  }
}

/** A look-up, and what each product of its tables adds: its own row of one narrow table, through a layer. */
export function withProducts(
  step: Step & { op: 'embed' },
  products: readonly { table: EmbedTable; up: string; rank: number }[],
  tensors: Map<string, TensorSpec>,
  prefix: string,
): Step[] {
  const { output } = step;
  const { shape } = tensors.get(output)!;
  const tensor = (what: string, own = shape) => {
    const name = `${prefix}${output}, ${what}`;
    tensors.set(name, { name, shape: own });
    return name;
  };
  let sum = products.length > 0 ? tensor('base') : output;
  const steps: Step[] = [{ ...step, output: sum }];
  for (const [i, { table, up, rank }] of products.entries()) {
    const [low, more] = [tensor(`low ${i}`, [shape[0]!, rank]), tensor(`more ${i}`)];
    const next = i === products.length - 1 ? output : tensor(`sum ${i}`);
    steps.push(
      { op: 'embed', tables: [table], output: low },
      { op: 'linear', input: low, weight: up, outputs: [more] },
      { op: 'binary', kind: 'add', a: sum, b: more, output: next },
    );
    sum = next;
  }
  return steps;
}
