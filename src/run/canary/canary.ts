import type { WeightFormat } from '../../plan/backend.ts';
import { allRules, fuse } from '../../plan/fuse.ts';
import {
  type EmbedTable,
  type KeySource,
  type Plan,
  type Step,
  stepInputs,
  stepOutputs,
  stepWeights,
  type TensorSpec,
  type WeightSpec,
  widthOf,
} from '../../plan/plan.ts';

/** A weight of a canary, with its values, [rows, columns]. */
export interface CanaryWeight {
  spec: WeightSpec;
  format: WeightFormat;
  values: Float32Array;
}

/**
 * Some steps of a model's plan by themselves: what one of its kernels does, fused as in the model. The tensors that they read are
 * tables of fresh values that an `embed` step looks up: position p has row p.
 */
export interface Canary {
  /** What it computes, e.g. `layerNorm + linear 768 → 3072 + gelu_new, q8`. */
  op: string;
  /** The part of the plan that it is of. */
  part: 'steps' | 'encoder';
  steps: Step[];
  tensors: Map<string, TensorSpec>;
  sources: Map<string, KeySource>;
  weights: CanaryWeight[];
  /** How many of the steps, the first ones, look up tables. */
  looks: number;
  /** Tensors that must not be fused away, since in the model something else makes them. */
  kept: string[];
  /** The tensor that is compared. */
  output: string;
  /** Attention by itself, or with the layer in front of it: heads of its queries, and its source. */
  attention?: { nHead: number; source: KeySource };
}

/** How many inputs the layers at the vocabulary have: their kernels take any number, and the model's would be many. */
const NARROW = 64;
/** Fresh values are drawn once and taken from here, from a place of chance: a prime, so that no row is like another. */
const POOL = 131_071;

/** Different pieces of a plan, one for each kernel, weight format and width that a run of the model has; `rows` positions. */
export function canariesOf(plan: Plan, formatOf: (weight: WeightSpec) => WeightFormat, rows: number): Canary[] {
  const random = pool();
  const seen = new Set<string>();
  const found: Canary[] = [];
  const { encoder = [], steps } = plan;
  const all = [...encoder, ...steps];
  const fused = [encoder, steps].map((part) => fuse(part, allRules, new Set(['logits'])));
  const [encoded, made] = fused.map(cutsOf) as [Set<string>, Set<string>];
  const normed = fused.flat().flatMap((step) => (step.op === 'linear' && step.normed ? [step] : []));
  const cuts = new Set([...encoded, ...made]);
  const heads = new Set(all.flatMap((step) => (step.op === 'attentionScores' ? [step.q] : [])));
  const keysAndValues = all.flatMap((step) => (step.op === 'cacheAppend' ? [step.k, step.v] : []));
  const add = (output: string, between: ReadonlySet<string>, made = output, kept?: string) => {
    const piece = new Piece(plan, sliceOf(all, made, between), formatOf);
    const part = encoded.has(output) ? 'encoder' : 'steps';
    const op = `${piece.describe()}${output === kept ? ', its norm' : ''}`;
    if (seen.has(`${part} ${op}`)) return; // a layer like another: its values would be drawn for nothing
    seen.add(`${part} ${op}`);
    found.push(piece.canary({ op, output, kept, part }, rows, found.length, random));
  };
  const given = new Set(all.flatMap((step) => (step.op === 'input' ? [step.output] : [])));
  for (const output of cuts) {
    if (given.has(output)) continue;
    const hasAttention = sliceOf(all, output, cuts).some(({ op }) => op === 'attentionMix');
    // Attention by itself too, so that it is known which of the two kernels is wrong.
    if (hasAttention) add(output, new Set([...cuts, ...heads, ...keysAndValues]));
    // A layer that gives what its norm made too is cut in front of the norm, and both are compared.
    const layer = normed.find((step) => step.normed === output || step.outputs[0] === output);
    if (!layer) add(output, cuts);
    else add(output, new Set([...cuts].filter((name) => name !== layer.normed)), layer.outputs[0], layer.normed);
  }
  return found;
}

/** Tensors that no fusion hides; those between a layer and its keys are compared by the attention that follows. */
function cutsOf(fused: readonly Step[]): Set<string> {
  const turned = fused.flatMap((step) => (step.op === 'rotateAppend' ? [...stepInputs(step), step.output] : []));
  const cuts = new Set(fused.flatMap((step) => ('cache' in step ? [] : stepOutputs(step))));
  for (const name of turned) cuts.delete(name);
  return cuts;
}

/** The steps that make `output` of the tensors in `between`. */
function sliceOf(steps: readonly Step[], output: string, between: ReadonlySet<string>): Step[] {
  const wanted = new Set([output]);
  const sources = new Set<string>();
  const slice: Step[] = [];
  for (const step of [...steps].reverse()) {
    const isWanted =
      step.op === 'cacheAppend' ? sources.has(step.source) : stepOutputs(step).some((name) => wanted.has(name));
    if (!isWanted) continue;
    slice.unshift(step);
    if ('source' in step) sources.add(step.source);
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

  constructor(plan: Plan, steps: Step[], formatOf: (weight: WeightSpec) => WeightFormat) {
    const names = new Set(steps.flatMap(stepWeights));
    this.#plan = plan;
    this.#steps = steps;
    this.#formatOf = formatOf;
    this.#weights = plan.weights.filter(({ name }) => names.has(name));
    // A vector has one row, and so may the outputs be one.
    const isOutput = ({ kind, rows }: WeightSpec) => kind === 'matrix' && rows === plan.vocabSize;
    const wide = this.#weights.find((spec) => isOutput(spec) && spec.columns > NARROW)?.columns;
    this.#fit = (width) => (width === wide ? NARROW : width);
  }

  /** @param kept the tensor that the last layer's norm makes, where others read it too */
  canary(
    { op, output, kept: normed, part }: Pick<Canary, 'op' | 'output' | 'part'> & { kept: string | undefined },
    rows: number,
    index: number,
    random: Random,
  ): Canary {
    const rename = (name: string) => (name === 'logits' ? name : `canary${index}.${name}`);
    const made = new Set(this.#steps.flatMap(stepOutputs));
    const inputs = [...new Set(this.#steps.flatMap(stepInputs))].filter((name) => !made.has(name));
    const tensors = new Map([...made, ...inputs].map((name) => [rename(name), this.#tensor(name, rename(name))]));
    const tables = inputs.map((name): CanaryWeight => {
      const columns = widthOf(tensors.get(rename(name))!);
      const table = { name: `${rename(name)} table`, kind: 'matrix', rows, columns, storedTransposed: false } as const;
      return { spec: table, format: 'f32', values: random(rows * columns, 2) };
    });
    const kept = normed === undefined ? [] : [rename(normed)];
    const looks = tables.flatMap(({ spec }, i): Step[] => {
      const input = tensors.get(rename(inputs[i]!))!;
      const look = (name: string): Step => ({
        op: 'embed',
        tables: [{ weight: spec.name, by: 'position' }],
        output: name,
      });
      if (input.shape[0] !== 'logitRows') return [look(input.name)];
      const all = `all of ${input.name}`;
      tensors.set(all, { name: all, shape: ['rows', ...input.shape.slice(1)] });
      kept.push(input.name);
      return [look(all), { op: 'selectRows', input: all, output: input.name }];
    });
    const mix = this.#steps.find((step) => step.op === 'attentionMix');
    const source = mix && this.#plan.sources.get(mix.source)!;
    return {
      ...{ op, part, kept, tensors, looks: looks.length, output: rename(output) },
      steps: [...looks, ...this.#steps.map((step) => renamed(step, rename))],
      weights: [...tables, ...this.#weights.map((given) => this.#weight(given, rename, random))],
      sources: new Map(mix && source && [[rename(mix.source), source]]),
      ...(mix && source && { attention: { nHead: this.#headsOf(mix.output), source } }),
    };
  }

  #tensor(name: string, to: string): TensorSpec {
    const { shape } = this.#plan.tensors.get(name)!;
    return { name: to, shape: shape.map((axis) => (typeof axis === 'number' ? this.#fit(axis) : axis)) };
  }

  #weight(given: WeightSpec, rename: (name: string) => string, random: Random): CanaryWeight {
    const spec = { ...given, name: rename(given.name), columns: this.#fit(given.columns) };
    const isLayer = this.#steps.some((step) => step.op === 'linear' && step.weight === given.name);
    // A layer's results are about as large as its inputs.
    const values = random(spec.rows * spec.columns, isLayer ? Math.sqrt(3 / spec.columns) : 1);
    const isBias = this.#steps.some((step) => step.op === 'attentionScores' && step.bias === given.name);
    return { spec, format: given.kind === 'vector' || isBias ? 'f32' : this.#formatOf(given), values };
  }

  /** Of z [rows, nHead, headDim]. */
  #headsOf(z: string): number {
    return this.#plan.tensors.get(z)!.shape[1] as number;
  }

  /** What it computes, for `Canary.op`. */
  describe(): string {
    const format = (name: string) => {
      const spec = this.#weights.find((one) => one.name === name)!;
      return `${spec.columns} → ${spec.rows} ${this.#formatOf(spec)}`;
    };
    const parts = this.#steps.flatMap((step) => {
      switch (step.op) {
        case 'linear':
          return [`linear ${format(step.weight)}`];
        case 'embed':
          return step.tables.map(({ weight, by }) =>
            by === 'token' ? `embedding ${format(weight)}` : by === 'position' ? 'positions' : 'segments',
          );
        case 'activation':
        case 'binary':
          return [step.kind];
        case 'attentionMix': {
          const { nHead, headDim, axis } = this.#plan.sources.get(step.source)!;
          const heads = this.#headsOf(step.output);
          const shared = heads === nHead ? '' : ` of ${nHead}`;
          const hasBias = this.#steps.some((one) => one.op === 'attentionScores' && one.bias !== undefined);
          const more = `${hasBias ? ' by distance' : ''}${axis === 'source' ? ' of a memory' : ''}`;
          return [`attention ${heads}${shared} × ${headDim}${more}`];
        }
        case 'rotate':
          return [`rotary ${this.#plan.tensors.get(step.output)!.shape.slice(1).join(' × ')}`];
        case 'normScale':
          return [step.centred ? 'layerNorm' : 'rmsNorm'];
        default:
          return [];
      }
    });
    return parts.join(' + ');
  }
}

/** A step with other names; every string of it but these two is one. */
function renamed(step: Step, rename: (name: string) => string): Step {
  const entries = Object.entries(step).map(([key, value]: [string, unknown]) => {
    if (key === 'tables') return [key, (value as EmbedTable[]).map((one) => ({ ...one, weight: rename(one.weight) }))];
    if (key === 'op' || key === 'kind') return [key, value];
    if (Array.isArray(value)) return [key, value.map(rename)];
    return [key, typeof value === 'string' ? rename(value) : value];
  });
  return Object.fromEntries(entries) as Step;
}

type Random = (length: number, scale: number) => Float32Array;

/** Draws fresh values, uniform between -scale and scale. */
function pool(): Random {
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

/** Columns of a layer's results, and heads, that the CPU computes too. */
const COLUMNS = 96;
const HEADS = 2;

/**
 * A canary with fewer results, for the CPU: of what its last layer makes some columns, of attention two heads, each with keys of
 * its own.
 */
export function narrowed(canary: Canary, rows: number) {
  const { attention } = canary;
  const width = widthOf(canary.tensors.get(canary.output)!);
  const isNarrow = narrowTensors(canary);
  const isWhole = canary.steps.slice(lastLayer(canary)).some(({ op }) => op === 'norm' || op === 'rotate');
  // A norm behind the last layer is of all of its columns, and so is what one in front of it made; what is turned is of whole heads.
  if (isWhole || !isNarrow.has(canary.output)) return { of: canary, columns: range(width) };
  const heads = attention && someOf(attention.nHead, HEADS);
  const columnsOf = (some: number[]) =>
    some.flatMap((one) => range(attention!.source.headDim, one * attention!.source.headDim));
  const columns = heads ? columnsOf(heads) : someOf(width, COLUMNS);
  const shared = heads?.map((head) => Math.floor((head * attention!.source.nHead) / attention!.nHead));
  const kv = new Set(canary.steps.flatMap((step) => (step.op === 'cacheAppend' ? [step.k, step.v] : [])));
  const across = (tensor: string) => (shared && kv.has(tensor) ? columnsOf(shared) : columns);

  const tensors = new Map(
    [...canary.tensors].map(([name, { shape }]) => {
      const isRows = shape[0] === 'rows' || shape[0] === 'logitRows';
      const some = heads && shape.length === 3 ? [heads.length, ...shape.slice(2)] : [columns.length];
      const cut = isRows ? [shape[0]!, ...some] : [heads?.length ?? shape[0]!, ...shape.slice(1)];
      return [name, { name, shape: isNarrow.has(name) ? cut : shape }];
    }),
  );
  const layers = canary.steps.slice(lastLayer(canary)).flatMap((step) => (step.op === 'linear' ? [step] : []));
  const weights = canary.weights.map((weight): CanaryWeight => {
    const { spec, values } = weight;
    for (const step of canary.steps) {
      const table = step.op === 'embed' && step.tables.find((one) => one.weight === spec.name);
      if (table) {
        const most = Math.min(rows + (table.first ?? 0), spec.rows);
        return picked(
          weight,
          range(most),
          isNarrow.has(step.output) ? across(step.output) : range(spec.columns),
          values,
        );
      }
      if (step.op === 'attentionScores' && step.bias === spec.name) {
        return picked(weight, heads!, range(spec.columns), values);
      }
    }
    const product = layers.find((step) => step.weight === spec.name || step.bias === spec.name);
    if (!product) return weight;
    let first = 0;
    const chosen = product.outputs.flatMap((output) => {
      const some = across(output).map((column) => first + column);
      first += widthOf(canary.tensors.get(output)!);
      return some;
    });
    return spec.kind === 'vector'
      ? picked(weight, [0], chosen, values)
      : picked(weight, chosen, range(spec.columns), values);
  });
  const sources = new Map([...canary.sources].map(([name, one]) => [name, { ...one, nHead: heads!.length }]));
  return { of: { ...canary, tensors, weights, sources }, columns };
}

/** Where a canary's last layer is; where it has none, what follows its tables. */
function lastLayer({ steps, looks }: Canary): number {
  const layer = steps.findLastIndex(({ op }) => op === 'linear');
  return layer < 0 ? looks : layer;
}

/** Tensors as wide as the output: made from the last layer on, or tables that nothing else reads. */
function narrowTensors(canary: Canary): Set<string> {
  const { steps, looks } = canary;
  const from = lastLayer(canary);
  const layer = steps[from]?.op === 'linear' ? 1 : 0;
  const before = new Set(steps.slice(looks, from + layer).flatMap(stepInputs));
  const narrow = new Set(
    steps
      .slice(from)
      .flatMap((step) => [...stepOutputs(step), ...stepInputs(step).filter((name) => !before.has(name))]),
  );
  for (const step of steps.slice(0, looks)) {
    if (step.op === 'selectRows' && narrow.has(step.output)) narrow.add(step.input);
  }
  return narrow;
}

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
