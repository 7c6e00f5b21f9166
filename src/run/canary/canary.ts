import type { WeightFormat } from '../../plan/backend.ts';
import { allRules, fuse } from '../../plan/fuse.ts';
import { halfFromFloat, halfTable } from '../../plan/half.ts';
import {
  type Plan,
  type Step,
  stepInputs,
  stepOutputs,
  stepWeights,
  type TensorSpec,
  type WeightSpec,
} from '../../plan/plan.ts';

/** A weight of a canary, with its values, [rows, columns]. */
export interface CanaryWeight {
  spec: WeightSpec;
  format: WeightFormat;
  values: Float32Array;
}

/**
 * Some steps of a model's plan by themselves: what one of its kernels does, fused as in the model. The tensors that they read are
 * tables of fresh values that an `embed` step looks up: token t has row t.
 */
export interface Canary {
  /** What it computes, e.g. `layerNorm + linear 768 → 3072 + gelu_new, q8`. */
  op: string;
  steps: Step[];
  tensors: Map<string, TensorSpec>;
  weights: CanaryWeight[];
  /** How many of the steps look up tables. */
  tables: number;
  /** The tensor that is compared. */
  output: string;
  /** Attention by itself, or with the layer in front of it, has a KV cache. */
  cached: boolean;
}

/** How many inputs the layers at the vocabulary have: their kernels take any number, and the model's would be many. */
const NARROW = 64;
/** Fresh values are drawn once and taken from here, from a place of chance: a prime, so that no row is like another. */
const POOL = 131_071;

/** Different pieces of a plan, one for each kernel, weight format and width that a run of the model has; `rows` tokens. */
export function canariesOf(plan: Plan, formatOf: (weight: WeightSpec) => WeightFormat, rows: number): Canary[] {
  const specs = new Map(plan.weights.map((spec) => [spec.name, spec]));
  const fused = fuse(plan.steps, allRules, new Set(['logits']));
  const cuts = new Set(fused.flatMap((step) => ('cache' in step ? [] : stepOutputs(step))));
  const heads = new Set(plan.steps.flatMap((step) => (step.op === 'attentionScores' ? [step.q] : [])));
  const keysAndValues = plan.steps.flatMap((step) => (step.op === 'cacheAppend' ? [step.k, step.v] : []));
  const random = pool();
  const seen = new Set<string>();
  const found: Canary[] = [];
  const add = (output: string, between: ReadonlySet<string>) => {
    const steps = sliceOf(plan, output, between);
    const canary = new Piece(plan, steps, specs, formatOf).canary(output, rows, found.length, random);
    if (!seen.has(canary.op)) found.push(canary);
    seen.add(canary.op);
  };
  for (const output of cuts) {
    const hasAttention = sliceOf(plan, output, cuts).some(({ op }) => op === 'attentionMix');
    // Attention by itself too, so that it is known which of the two kernels is wrong.
    if (hasAttention) add(output, new Set([...cuts, ...heads, ...keysAndValues]));
    add(output, cuts);
  }
  return found;
}

/** The steps that make `output` of the tensors in `between`. */
function sliceOf({ steps }: Plan, output: string, between: ReadonlySet<string>): Step[] {
  const wanted = new Set([output]);
  const layers = new Set<number>();
  const slice: Step[] = [];
  for (const step of [...steps].reverse()) {
    const isWanted =
      step.op === 'cacheAppend' ? layers.has(step.layer) : stepOutputs(step).some((name) => wanted.has(name));
    if (!isWanted) continue;
    slice.unshift(step);
    if ('layer' in step) layers.add(step.layer);
    for (const name of stepInputs(step)) if (!between.has(name)) wanted.add(name);
  }
  return slice;
}

/** Steps that become a canary. */
class Piece {
  readonly #plan: Plan;
  readonly #steps: Step[];
  readonly #formatOf: (weight: WeightSpec) => WeightFormat;
  readonly #weights: WeightSpec[];
  /** A width as the canary has it. */
  readonly #fit: (width: number) => number;

  constructor(
    plan: Plan,
    steps: Step[],
    specs: ReadonlyMap<string, WeightSpec>,
    formatOf: (weight: WeightSpec) => WeightFormat,
  ) {
    this.#plan = plan;
    this.#steps = steps;
    this.#formatOf = formatOf;
    this.#weights = [...new Set(steps.flatMap(stepWeights))].map((name) => specs.get(name)!);
    const wide = this.#weights.find((spec) => spec.rows === plan.vocabSize && spec.columns > NARROW)?.columns;
    this.#fit = (width) => (width === wide ? NARROW : width);
  }

  canary(output: string, rows: number, index: number, random: (length: number, scale: number) => Float32Array): Canary {
    const rename = (name: string) => (name === 'logits' ? name : `canary${index}.${name}`);
    const made = new Set(this.#steps.flatMap(stepOutputs));
    const inputs = [...new Set(this.#steps.flatMap(stepInputs))].filter((name) => !made.has(name));
    const tensors = new Map(
      [...made, ...inputs].map((name) => {
        const { shape } = this.#plan.tensors.get(name)!;
        return [
          rename(name),
          { name: rename(name), shape: shape.map((axis) => (typeof axis === 'number' ? this.#fit(axis) : axis)) },
        ];
      }),
    );
    const tables = inputs.map((name): CanaryWeight => {
      const columns = widthOf(tensors.get(rename(name))!);
      const spec: WeightSpec = {
        name: `${rename(name)} table`,
        kind: 'matrix',
        rows,
        columns,
        storedTransposed: false,
      };
      return { spec, format: 'f32', values: random(rows * columns, 2) };
    });
    const weights = this.#weights.map((given): CanaryWeight => {
      const spec = { ...given, name: rename(given.name), columns: this.#fit(given.columns) };
      const isTable = this.#steps.some((step) => step.op === 'embed' && step.weight === given.name);
      // A layer's results are about as large as its inputs.
      const scale = given.kind === 'vector' || isTable ? 1 : Math.sqrt(3 / spec.columns);
      return {
        spec,
        format: given.kind === 'vector' ? 'f32' : this.#formatOf(given),
        values: random(spec.rows * spec.columns, scale),
      };
    });
    const looks = tables.map(({ spec }, i): Step => ({ op: 'embed', weight: spec.name, output: rename(inputs[i]!) }));
    return {
      op: this.#describe(),
      steps: [...looks, ...this.#steps.map((step) => renamed(step, rename, 0))],
      tables: looks.length,
      tensors,
      weights: [...tables, ...weights],
      output: rename(output),
      cached: this.#steps.some(({ op }) => op === 'cacheAppend'),
    };
  }

  #describe(): string {
    const format = (name: string) => {
      const spec = this.#weights.find((one) => one.name === name)!;
      return `${spec.columns} → ${spec.rows} ${this.#formatOf(spec)}`;
    };
    const parts = this.#steps.flatMap((step) => {
      switch (step.op) {
        case 'linear':
          return [`linear ${format(step.weight)}`];
        case 'embed':
          return [`embedding ${format(step.weight)}`];
        case 'activation':
          return [step.kind];
        case 'attentionMix':
          return [`attention ${this.#plan.nHead} × ${this.#plan.headDim}`];
        case 'layerNormScale':
          return ['layerNorm'];
        case 'positionEmbed':
          return ['positions'];
        case 'add':
          return ['add'];
        default:
          return [];
      }
    });
    return parts.join(' + ');
  }
}

/** A step with other names; every string of it but these two is one. */
export function renamed(step: Step, rename: (name: string) => string, layer: number): Step {
  const entries = Object.entries(step).map(([key, value]: [string, unknown]) => {
    if (key === 'op' || key === 'kind') return [key, value];
    if (key === 'layer') return [key, layer];
    if (Array.isArray(value)) return [key, value.map(rename)];
    return [key, typeof value === 'string' ? rename(value) : value];
  });
  return Object.fromEntries(entries) as Step;
}

/** Numbers in a row of a tensor. */
export function widthOf({ shape }: TensorSpec): number {
  return shape.slice(1).reduce<number>((product, axis) => product * (axis as number), 1);
}

/** Draws fresh values, uniform between -scale and scale. */
function pool(): (length: number, scale: number) => Float32Array {
  const drawn = Float32Array.from({ length: POOL }, () => 2 * Math.random() - 1);
  return (length, scale) => {
    const values = new Float32Array(length);
    const scaled = scale === 1 ? drawn : drawn.map((value) => value * scale);
    const start = Math.floor(Math.random() * POOL);
    for (let at = 0; at < length; ) {
      const from = (start + at) % POOL;
      const part = scaled.subarray(from, Math.min(POOL, from + length - at));
      values.set(part, at);
      at += part.length;
    }
    return values;
  };
}

/** As a cache of halves keeps them: to the nearest, ties to even. */
export const inHalves = (values: Float32Array): Float32Array => {
  const half = halfTable();
  return values.map((value) => half[halfFromFloat(value)]!);
};

/** Columns of a layer's results, and heads, that the CPU computes too. */
const COLUMNS = 96;
const HEADS = 2;

/**
 * A canary with fewer results, for the CPU: of what its last layer makes some columns, of attention two heads. `kept` makes of keys
 * and values that are tables what the cache keeps of them.
 */
export function narrowed(canary: Canary, headDim: number, rows: number, kept?: (values: Float32Array) => Float32Array) {
  const width = widthOf(canary.tensors.get(canary.output)!);
  const heads = canary.cached ? someOf(width / headDim, HEADS) : undefined;
  const columns = heads ? heads.flatMap((head) => range(headDim, head * headDim)) : someOf(width, COLUMNS);
  const layer = canary.steps.findLastIndex(({ op }) => op === 'linear');
  const tail = canary.steps.slice(layer < 0 ? canary.tables : layer);
  const before = new Set(canary.steps.slice(0, layer + 1).flatMap(stepInputs));
  /** Tensors as wide as the output: made from the layer on, or tables that nothing else reads. */
  const isNarrow = new Set(
    tail.flatMap((step) => [...stepOutputs(step), ...stepInputs(step).filter((name) => !before.has(name))]),
  );
  const tensors = new Map(
    [...canary.tensors].map(([name, { shape }]) => {
      const place = shape[0] === 'rows' || shape[0] === 'logitRows' ? 1 : 0;
      const cut = shape.map((axis, i) =>
        i === place ? ((shape.length === 3 ? heads?.length : undefined) ?? columns.length) : axis,
      );
      return [name, { name, shape: isNarrow.has(name) ? cut : shape }];
    }),
  );
  const layers = tail.flatMap((step) => (step.op === 'linear' ? [step] : []));
  const kv = new Set(canary.steps.flatMap((step) => (step.op === 'cacheAppend' ? [step.k, step.v] : [])));
  const weights = canary.weights.map((weight): CanaryWeight => {
    const { spec, values } = weight;
    const look = canary.steps.find((step): step is Look => isLook(step) && step.weight === spec.name);
    if (look) {
      const read = kept && kv.has(look.output) ? kept(values) : values;
      const across = isNarrow.has(look.output) ? columns : range(spec.columns);
      return picked(weight, range(Math.min(rows, spec.rows)), across, read);
    }
    const product = layers.find((step) => step.weight === spec.name || step.bias === spec.name);
    if (!product) return weight;
    const chosen = product.outputs.flatMap((_, i) => columns.map((column) => i * width + column));
    return spec.kind === 'vector'
      ? picked(weight, [0], chosen, values)
      : picked(weight, chosen, range(spec.columns), values);
  });
  return { of: { ...canary, tensors, weights }, columns, heads: heads?.length };
}

type Look = Extract<Step, { op: 'embed' | 'positionEmbed' }>;
const isLook = (step: Step): step is Look => step.op === 'embed' || step.op === 'positionEmbed';

/** Some rows and columns of a weight. */
function picked({ spec, format }: CanaryWeight, rows: number[], columns: number[], values: Float32Array): CanaryWeight {
  const taken = new Float32Array(rows.length * columns.length);
  for (const [r, row] of rows.entries()) {
    for (const [c, column] of columns.entries()) taken[r * columns.length + c] = values[row * spec.columns + column]!;
  }
  return { spec: { ...spec, rows: rows.length, columns: columns.length }, format, values: taken };
}

const range = (length: number, first = 0) => Array.from({ length }, (_, i) => first + i);

/** At most `count` of 0 .. n - 1 in order: the first and the last ones, and others by chance. */
function someOf(n: number, count: number): number[] {
  if (n <= count) return range(n);
  const ends = Math.max(1, count >> 3);
  const some = new Set([...range(ends), ...range(count > 2 ? ends : 0, n - ends)]);
  while (some.size < count) some.add(Math.floor(Math.random() * n));
  return [...some].sort((a, b) => a - b);
}
