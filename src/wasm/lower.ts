import type { Adjoint } from '../plan/adjoint.ts';
import { badOption } from '../plan/error.ts';
import { type KvFormat, keyBytes } from '../plan/kv.ts';
import type { EmbedTable, KeySource, LowRank, Norm, Plan, Step } from '../plan/plan.ts';
import { keyAxisOf, widthOf } from '../plan/plan.ts';
import { layout } from './binary.ts';
import type { WasmWeight } from './weights.ts';

const { Activation, By, Format, Kind, Kv, Op } = layout;

/** Numbers of an instance of a class of kernels/step.ts; those absent are 0. */
export type Fields<Name extends 'Step' | 'Table' | 'Part'> = Partial<Record<keyof (typeof layout)[Name], number>>;

/** Keys and values of a source, [nHead, places] each of `placeBytes`. */
export interface SourceMemory extends KeySource {
  kv: KvFormat;
  keys: number;
  values: number;
  places: number;
}

/** Where a list of steps finds things: addresses in memory. */
export interface Lowering {
  plan: Plan;
  weight(name: string): WasmWeight;
  tensor(name: string): number;
  source(name: string): SourceMemory;
  /** Gives the address of so many bytes, all 0, and views of it. */
  allocate(bytes: number): { at: number; words: Uint32Array; floats: Float32Array };
  /** The most keys in a row of a tensor [nHead, rows, keys]. */
  keyWidth(name: string): number;
  /** The kernels' steps of a gradient's. */
  adjoint?(step: Adjoint, to: Lowering): Fields<'Step'>[];
  /** Where the factor of a loss's gradient lies, and its labels behind. */
  labels: number;
}

/** Steps that kernels perform; JavaScript does the others. */
export type Runnable = Exclude<Step, { op: 'edit' | 'input' }>;

/** Bytes of a head's key: floats rounded up to whole vectors, or as other formats have them. */
export const placeBytes = ({ headDim }: KeySource, kv: KvFormat): number =>
  keyBytes(kv, kv === 'f32' ? Math.ceil(headDim / 4) * 4 : headDim);

export const STEP_BYTES = 4 * Object.keys(layout.Step).length;

/** Writes steps to memory, one behind the other; gives their address and number, and how many each of the plan's became. */
export function writeSteps(steps: readonly Runnable[], to: Lowering) {
  const lowered = steps.map((step) =>
    step.op === 'adjoint' ? to.adjoint!(step, to) : [{ op: Op[step.op], ...lower(step, to) }],
  );
  const all = lowered.flat();
  return { steps: write('Step', all, to), count: all.length, counts: lowered.map(({ length }) => length) };
}

export function write<Name extends 'Step' | 'Table' | 'Part'>(name: Name, list: readonly Fields<Name>[], to: Lowering) {
  const fields = Object.entries(layout[name]) as [keyof Fields<Name>, string][];
  const { at, words, floats } = to.allocate(list.length * fields.length * 4);
  list.forEach((given, i) => {
    fields.forEach(([field, type], j) => {
      (type === 'f32' ? floats : words)[i * fields.length + j] = given[field] ?? 0;
    });
  });
  return at;
}

function lower(step: Exclude<Runnable, Adjoint>, to: Lowering): Fields<'Step'> {
  const { tensor } = to;
  switch (step.op) {
    case 'embed':
      return { ...output(step, to), ...tables(step.tables, to) };
    case 'binary':
      return { ...output(step, to), input: tensor(step.a), second: tensor(step.b), kind: Kind[step.kind] };
    case 'normScale':
      return { ...through(step, to), epsilon: step.epsilon, centred: +step.centred, nHead: headsOf(step.input, to) };
    case 'norm':
      return {
        ...through(step, to),
        ...norm(step, to),
        second: step.scale === undefined ? 0 : tensor(step.scale),
        nHead: headsOf(step.input, to),
      };
    case 'selectRows':
      return through(step, to);
    case 'activation':
      return { ...through(step, to), kind: Activation[step.kind] };
    case 'rotate': {
      const { values, spec } = to.weight(step.table);
      const nHead = headsOf(step.input, to);
      const headDim = width(step.input, to) / nHead;
      return { ...through(step, to), angles: values, pairs: spec.columns / 2, nHead, headDim };
    }
    case 'rotateAppend': {
      const { values, spec } = to.weight(step.table);
      const { norms } = step;
      return {
        ...through({ input: step.q, output: step.output }, to),
        ...{ second: tensor(step.k), gate: tensor(step.v), angles: values, pairs: spec.columns / 2 },
        ...(norms && { normWeight: to.weight(norms.q.weight).values, normBias: to.weight(norms.k.weight).values }),
        ...(norms && { epsilon: norms.q.epsilon, scale: norms.k.epsilon }),
        ...{ nHead: headsOf(step.q, to), ...source(step.source, to) },
      };
    }
    case 'linear':
      return linear(step, to);
    case 'cacheAppend':
      return { input: tensor(step.k), second: tensor(step.v), width: width(step.k, to), ...source(step.source, to) };
    case 'attentionScores':
    case 'attention': {
      const window = step.op === 'attention' ? { window: step.window } : { masked: step.window };
      const scoring = { ...distances(step.bias, to), scale: step.scale, ...window };
      return { input: tensor(step.q), ...attention(step, step.q, to), ...scoring };
    }
    case 'maskedSoftmax':
      return { input: tensor(step.input), ...attention(step, step.input, to) };
    case 'attentionMix':
      return { input: tensor(step.pattern), ...attention(step, step.output, to), keyWidth: to.keyWidth(step.pattern) };
    default:
      return step satisfies never;
  }
}

export const width = (name: string, { plan }: Lowering): number => widthOf(plan.tensors.get(name)!);

/** Heads that a tensor's rows have, 1 where they have none. */
export function headsOf(name: string, { plan }: Lowering): number {
  const { shape } = plan.tensors.get(name)!;
  return shape.length === 3 ? (shape[1] as number) : 1;
}

/** A tensor [rows, width] that an op of rows makes. */
const output = (step: { output: string }, to: Lowering): Fields<'Step'> => ({
  output: to.tensor(step.output),
  width: width(step.output, to),
  wanted: +(to.plan.tensors.get(step.output)!.shape[0] === 'logitRows'),
});

const through = (step: { input: string; output: string }, to: Lowering): Fields<'Step'> => ({
  ...output(step, to),
  input: to.tensor(step.input),
  width: width(step.input, to),
});

function tables(given: readonly EmbedTable[], to: Lowering): Fields<'Step'> {
  const list = given.map(({ weight, by, first = 0, scale = 1 }) => {
    return { ...matrix(to.weight(weight)), by: By[by], first, factor: scale };
  });
  return { tables: write('Table', list, to), tableCount: given.length };
}

export const matrix = ({ values, scales, format, spec }: WasmWeight): Fields<'Table'> => ({
  weight: values,
  scales,
  format: Format[spec.kind === 'vector' ? 'vector' : format],
});

const norm = ({ weight, bias, epsilon, centred }: Norm, to: Lowering): Fields<'Step'> => ({
  normWeight: to.weight(weight).values,
  normBias: optional(bias, to),
  epsilon,
  centred: +centred,
});

/** The address of a vector, or 0. */
const optional = (name: string | undefined, to: Lowering): number => (name === undefined ? 0 : to.weight(name).values);

export function source(name: string, to: Lowering): Fields<'Step'> {
  const { keys, values, places, kv, ...source } = to.source(name);
  const { nHead: keyHeads, headDim, axis } = source;
  const kept = { kv: Kv[kv], keyBytes: placeBytes(source, kv) };
  return { keys, values, places, keyHeads, headDim, memory: +(axis === 'source'), ...kept };
}

/** @param shaped a tensor that has as many heads as the queries */
function attention(step: { source: string; output: string }, shaped: string, to: Lowering): Fields<'Step'> {
  const spec = to.plan.tensors.get(shaped)!;
  const nHead = keyAxisOf(spec) ? (spec.shape[0] as number) : widthOf(spec) / to.source(step.source).headDim;
  return { ...source(step.source, to), output: to.tensor(step.output), nHead, keyWidth: to.keyWidth(step.output) };
}

function distances(name: string | undefined, to: Lowering): Fields<'Step'> {
  if (name === undefined) return {};
  const { values, format, spec } = to.weight(name);
  if (format !== 'f32') throw badOption(`${name} is in ${format}; a position bias is read as f32.`);
  return { distances: values, farthest: (spec.columns - 1) / 2 };
}

function linear(step: Step & { op: 'linear' }, to: Lowering): Fields<'Step'> {
  const parts: Fields<'Part'>[] = step.outputs.map((name) => ({ at: to.tensor(name), width: width(name, to) }));
  if (step.cache !== undefined) {
    const { keys, values, nHead, headDim } = to.source(step.cache);
    parts.push(...[keys, values].map((at) => ({ at, width: nHead * headDim, kept: 1 })));
  }
  const weight = to.weight(step.weight);
  return {
    input: to.tensor(step.input),
    width: weight.spec.columns,
    tables: write('Table', [matrix(weight)], to),
    parts: write('Part', parts, to),
    partCount: parts.length,
    bias: optional(step.bias, to),
    ...(step.lowRank && lowRank(step.lowRank, to)),
    ...(step.norm && norm(step.norm, to)),
    kind: Activation[step.activation ?? 'none'],
    gate: step.gate === undefined ? 0 : to.tensor(step.gate),
    second: step.residual === undefined ? 0 : to.tensor(step.residual),
    wanted: +step.outputs.some((name) => to.plan.tensors.get(name)!.shape[0] === 'logitRows'),
    select: +!!step.select,
    ...(step.cache !== undefined && source(step.cache, to)),
  };
}

function lowRank({ input, weight, rank, parts }: LowRank, to: Lowering): Fields<'Step'> {
  const ends = to.allocate(4 * parts.length);
  let end = 0;
  parts.forEach((columns, i) => {
    ends.words[i] = end += columns;
  });
  const { at: lowEnds } = ends;
  return { low: to.tensor(input), up: to.weight(weight).values, rank, lowParts: parts.length, lowEnds };
}
