import type { Adapter } from '../adapter/adapter.ts';
import { BaseNames } from '../adapter/names.ts';
import { transposeRows } from '../load/values.ts';
import { covers, type Uses, withProducts } from '../plan/adapt.ts';
import { part } from '../plan/part.ts';
import type { AddedWeight, Plan, Step, TensorSpec, WeightSpec } from '../plan/plan.ts';
import { joined, piecesOf } from '../plan/plan.ts';
import type { Engine } from '../run/engine.ts';
import { weight } from '../run/weight.ts';
import type { Checkpoint } from './checkpoint.ts';
import { bad } from './loss.ts';
import type { Moments } from './optimiser.ts';
import { asPlan, readStored, type StoredWeight, storedGradient, storedWeights } from './stored.ts';
import { outputsByPart } from './unfold.ts';

/** What is learnt: a tensor, its own copy in the plan, and how the two become each other. */
export interface Param {
  /** Its name in an adapter's file, or of the whole model in the model's. */
  name: string;
  shape: readonly number[];
  values: Float32Array;
  moments: Moments;
  /** Weights of two or more axes decay. */
  decays: boolean;
  /** A head that begins at nothing learns at ten times the rate. */
  isFast: boolean;
  /** Its gradient, from those of the plan's weights. */
  gradientOf(gradients: ReadonlyMap<string, Float32Array>): Float32Array | undefined;
  /** Puts its values into the plan's weights; gives those. */
  write(): AddedWeight[];
}

/** A parameter as a run's checkpoint has it. */
export type ParamCopy = Checkpoint['params'][number];

export const copyOf = ({ name, shape, values, moments: { first, second } }: Param): ParamCopy => ({
  ...{ name, shape, values: values.slice(), first: first.slice(), second: second.slice() },
});

export function setParam({ values, moments }: Param, to: Pick<ParamCopy, 'values' | 'first' | 'second'>): void {
  values.set(to.values);
  moments.first.set(to.first);
  moments.second.set(to.second);
}

const moments = ({ length }: Float32Array): Moments => ({
  first: new Float32Array(length),
  second: new Float32Array(length),
});

let made = 0;

/** Makes a plan whose weights are learnt, out of the base's. */
export class TrainingPlan {
  readonly #engine: Engine;
  readonly #base: Plan;
  readonly #prefix = `adapter train ${++made}: `;
  readonly #added = new Map<string, AddedWeight>();
  /** Layers of the plan, or their parts, that have a product besides. */
  readonly #products = new Map<string, { a: string; b: string }>();
  /** Tables with a product of their rows besides. */
  readonly #tables: { weight: string; uses: Uses; rows: string; up: string }[] = [];
  /** Copies in place of the base's weights; of a table with several uses for some of them. */
  readonly #replaced: { name: string; uses: Uses; copy: string }[] = [];
  /** What computed weights are computed from, by the files' names. */
  readonly #stored = new Map<string, Float32Array>();
  readonly params: Param[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#base = engine.base;
  }

  /** A low-rank product of a layer, or a part of one, as an adapter has it: b's rows as they are stored. */
  addProduct(
    module: string,
    { spec, part, first, length }: { spec: WeightSpec; part: string; first: number; length: number },
    { a, b, rank, scale }: { a: Float32Array; b: Float32Array; rank: number; scale: number },
  ): void {
    const down = this.#add(`${part}, down`, matrix(rank, spec.columns), a);
    const place = (row: number) => (spec.order ? spec.order(first + row) - first : row);
    const up = this.#add(`${part}, up`, matrix(length, rank), new Float32Array(b.length));
    const turn = (from: Float32Array, to: Float32Array, isBack: boolean) => {
      for (let row = 0; row < length; row++) {
        const [own, stored] = [row * rank, place(row) * rank];
        for (let r = 0; r < rank; r++) {
          if (isBack) to[stored + r] = from[own + r]! * scale;
          else to[own + r] = from[stored + r]! * scale;
        }
      }
      return to;
    };
    this.#products.set(part, { a: down.spec.name, b: up.spec.name });
    this.params.push(
      {
        ...lowParam(`${module}.lora_A.weight`, a, [rank, spec.columns]),
        gradientOf: (gradients) => gradients.get(down.spec.name),
        write: () => [down],
      },
      {
        ...lowParam(`${module}.lora_B.weight`, b, [length, rank]),
        gradientOf: (gradients) => {
          const gradient = gradients.get(up.spec.name);
          return gradient && turn(gradient, new Float32Array(b.length), true);
        },
        write: () => {
          turn(b, up.values, false);
          return [up];
        },
      },
    );
  }

  /** A low-rank product of a table that is looked up, as an adapter has it: a [rank, words], b [width, rank]. */
  addTable(
    module: string,
    { spec, uses }: { spec: WeightSpec; uses: Uses },
    { a, b, rank, scale }: { a: Float32Array; b: Float32Array; rank: number; scale: number },
  ): void {
    const [words, width] = [spec.rows, spec.columns];
    const rows = this.#add(`${spec.name}, rows, ${uses}`, matrix(words, rank), new Float32Array(a.length));
    const up = this.#add(`${spec.name}, up, ${uses}`, matrix(width, rank), new Float32Array(b.length));
    this.#tables.push({ weight: spec.name, uses, rows: rows.spec.name, up: up.spec.name });
    this.params.push(
      {
        ...lowParam(`${module}.lora_embedding_A`, a, [rank, words]),
        gradientOf: (gradients) => {
          const gradient = gradients.get(rows.spec.name);
          return gradient && transposeRows(gradient, rank, 0, new Float32Array(a.length), words);
        },
        write: () => {
          transposeRows(a, words, 0, rows.values, rank);
          return [rows];
        },
      },
      {
        ...lowParam(`${module}.lora_embedding_B`, b, [width, rank]),
        gradientOf: (gradients) => gradients.get(up.spec.name)?.map((value) => value * scale),
        write: () => {
          for (let i = 0; i < b.length; i++) up.values[i] = b[i]! * scale;
          return [up];
        },
      },
    );
  }

  /** Learns a stored tensor itself: the plan gets a copy of each weight that is made of it, for all of its uses or some. */
  async addWhole(stored: StoredWeight, name: string, values: Float32Array, uses: Uses = 'all'): Promise<void> {
    const copies: AddedWeight[] = [];
    for (const { weight: spec } of stored.of) copies.push(await this.#copy(spec, uses));
    this.#stored.set(stored.name, values);
    const own = stored.of.map((one, i) => ({ ...one, weight: copies[i]!.spec }));
    const isMatrix = stored.shape.length > 1;
    this.params.push({
      ...{ name, shape: stored.shape, values, moments: moments(values), decays: isMatrix, isFast: false },
      gradientOf: (gradients) => storedGradient({ ...stored, of: own }, gradients)?.data,
      write: () => {
        for (const [i, { weight: spec, part, index }] of stored.of.entries()) {
          if (spec.computed) {
            const from = this.#engine.partsOf(spec).map((one) => this.#stored.get(one.name)!);
            copies[i]!.values.set(spec.computed.values(...from));
          } else asPlan(spec, part, index, values, copies[i]!.values);
        }
        return copies;
      },
    });
  }

  /** The plan's own copy of one of the base's weights. */
  async #copy(spec: WeightSpec, uses: Uses): Promise<AddedWeight> {
    const known = this.#replaced.find((one) => one.name === spec.name && one.uses === uses);
    if (known) return this.#added.get(known.copy)!;
    const all = storedWeights(this.#engine);
    for (const { name } of spec.computed ? this.#engine.partsOf(spec) : []) {
      if (!this.#stored.has(name)) this.#stored.set(name, await readStored(this.#engine, all.get(name)!));
    }
    const values: Float32Array[] = [];
    for (const { name } of piecesOf(spec)) values.push((await weight(this.#engine, name, {}, this.#base)).data);
    const { name: _, ...rest } = spec;
    const added = this.#add(uses === 'all' ? spec.name : `${spec.name}, ${uses}`, rest, joined(values));
    this.#replaced.push({ name: spec.name, uses, copy: added.spec.name });
    return added;
  }

  #add(name: string, spec: Omit<WeightSpec, 'name'>, values: Float32Array): AddedWeight {
    const added = { spec: { ...spec, name: `${this.#prefix}${name}` }, values };
    this.#added.set(added.spec.name, added);
    return added;
  }

  /** The plan, everything learnt in it. */
  plan(): Plan {
    const tensors = new Map(this.#base.tensors);
    const steps = (list: readonly Step[], part: 'encoder' | 'decoder') =>
      list.flatMap((step) => this.#step(step, tensors, part));
    const { encoder } = this.#base;
    for (const param of this.params) param.write();
    const added = [...this.#added.values()];
    return {
      ...this.#base,
      ...{ tensors, weights: [...this.#base.weights, ...added.map(({ spec }) => spec)], added },
      ...(encoder && { encoder: steps(encoder, 'encoder') }),
      steps: steps(this.#base.steps, 'decoder'),
    };
  }

  #step(step: Step, tensors: Map<string, TensorSpec>, part: 'encoder' | 'decoder'): Step[] {
    const of = (name: string, isLookup = false) =>
      this.#replaced.find((one) => one.name === name && covers(one.uses, isLookup, part))?.copy ?? name;
    const bias = 'bias' in step && step.bias !== undefined && { bias: of(step.bias) };
    switch (step.op) {
      case 'embed': {
        const tables = step.tables.map((table) => ({ ...table, weight: of(table.weight, true) }));
        const products = step.tables.flatMap((table) =>
          this.#tables
            .filter(({ weight, uses }) => weight === table.weight && covers(uses, true, part))
            .map(({ rows, up }) => ({
              table: { ...table, weight: rows },
              up,
              rank: this.#added.get(rows)!.spec.columns,
            })),
        );
        return withProducts({ ...step, tables }, products, tensors, this.#prefix);
      }
      case 'norm':
        return [{ ...step, weight: of(step.weight), ...bias }];
      case 'attentionScores':
        return [{ ...step, ...bias }];
      case 'linear': {
        const spec = this.#base.weights.find(({ name }) => name === step.weight)!;
        return this.#linear({ ...step, weight: of(step.weight), ...bias }, spec, tensors);
      }
      default:
        return [step];
    }
  }

  /** A layer, and what the products of its parts add to their outputs. */
  #linear(step: Step & { op: 'linear' }, spec: WeightSpec, tensors: Map<string, TensorSpec>): Step[] {
    const parts = piecesOf(spec);
    if (!parts.some(({ name }) => this.#products.has(name))) return [step];
    const tensor = (name: string, shape: TensorSpec['shape']) => {
      tensors.set(name, { name, shape });
      return name;
    };
    const [base, more]: [string[], Step[]] = [[], []];
    const outputs = outputsByPart(step, parts, tensors);
    for (const [p, { name }] of parts.entries()) {
      const own = outputs[p]!;
      const product = this.#products.get(name);
      if (!product) {
        base.push(...own);
        continue;
      }
      const shapeOf = (output: string) => tensors.get(output)!.shape;
      const rank = this.#added.get(product.a)!.spec.rows;
      const low = tensor(`${this.#prefix}${name}, low`, [shapeOf(own[0]!)[0]!, rank]);
      const sums = own.map((output) => tensor(`${this.#prefix}${output}, base`, shapeOf(output)));
      const products = own.map((output) => tensor(`${this.#prefix}${output}, more`, shapeOf(output)));
      base.push(...sums);
      more.push(
        { op: 'linear', input: step.input, weight: product.a, outputs: [low] },
        { op: 'linear', input: low, weight: product.b, outputs: products },
        ...own.map((output, i): Step => ({ op: 'binary', kind: 'add', a: sums[i]!, b: products[i]!, output })),
      );
    }
    return [{ ...step, outputs: base }, ...more];
  }
}

/** A parameter of a low-rank product, by its name in an adapter's file. */
const lowParam = (name: string, values: Float32Array, shape: number[]) => ({
  ...{ name: `base_model.model.${name}`, shape, values, moments: moments(values), decays: true, isFast: false },
});

const matrix = (rows: number, columns: number) => ({ kind: 'matrix', rows, columns, storedTransposed: false }) as const;

/** Everything that a model learns: all its parameters. */
export async function wholeModel(engine: Engine): Promise<TrainingPlan> {
  const training = new TrainingPlan(engine);
  for (const stored of storedWeights(engine).values()) {
    await training.addWhole(stored, stored.name, await readStored(engine, stored));
  }
  return training;
}

/** What an adapter learns: its products and its own tensors. */
export async function adapterPlan(engine: Engine, adapter: Adapter): Promise<TrainingPlan> {
  const training = new TrainingPlan(engine);
  const { family, config } = engine.checkpoint!;
  const base = { family, config, plan: engine.base };
  const { checkFit } = await part('What adapts models', () => import('../run/adapt.ts'));
  checkFit(adapter, base);
  const names = new BaseNames(base);
  const { lowRank, replaced } = adapter.parts((module) => names.isLinear(module), config);
  for (const { module, isEmbedding, a, b, rank, scale } of lowRank) {
    const place = names.find(`${module}.weight`);
    if (place === undefined || place === 'idle') continue;
    if (names.isBias(place))
      throw bad(`The adapter adapts ${module}`, 'layers and tables of words, which can be learnt');
    const product = { a: a.slice(), b: b.slice(), rank, scale };
    if (isEmbedding) training.addTable(module, place, product);
    else training.addProduct(module, place, product);
  }
  const stored = [...storedWeights(engine).values()];
  for (const { name, data } of replaced) {
    const place = names.find(name);
    if (place === undefined || place === 'idle') continue;
    const own = stored.find(({ planName }) => planName === place.part);
    if (own) await training.addWhole(own, `base_model.model.${name}`, data.slice(), place.uses);
  }
  return training;
}
