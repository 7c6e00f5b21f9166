import { VitrineError } from '../plan/error.ts';
import { type EmbedTable, type KeySource, keyAxisOf, type Norm, type Plan, type Step, widthOf } from '../plan/plan.ts';
import { Activation, By, Format, Step as fields, Kind, Op } from './binary.ts';
import type { WasmWeight } from './weights.ts';

/** The fields of a step in memory, and their types, as kernels/step.ts has them. */
type Fields = Partial<Record<keyof typeof fields, number>>;

export const STEP_WORDS = Object.keys(fields).length;

/** Keys and values of a source, [nHead, places, headDim rounded up to whole vectors] each. */
export interface SourceMemory extends KeySource {
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
  /** The most keys in a row of a tensor [nHead, rows, keys]. */
  keyWidth(name: string): number;
}

/** Steps that kernels perform; JavaScript does the others. */
export type Runnable = Exclude<Step, { op: 'edit' | 'input' }>;

/** Writes a step to memory. */
export function writeStep(step: Runnable, to: Lowering, words: Uint32Array): void {
  const given: Fields = { op: Op[step.op], ...lower(step, to) };
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  Object.entries(fields).forEach(([field, type], i) => {
    (type === 'f32' ? floats : words)[i] = given[field as keyof Fields] ?? 0;
  });
}

function lower(step: Runnable, to: Lowering): Fields {
  const { tensor } = to;
  switch (step.op) {
    case 'embed':
      return { ...output(step, to), ...tables(step.tables, to) };
    case 'binary':
      return { ...output(step, to), input: tensor(step.a), second: tensor(step.b), kind: Kind[step.kind] };
    case 'normScale':
      return { ...through(step, to), epsilon: step.epsilon, centred: +step.centred };
    case 'norm':
      return { ...through(step, to), ...norm(step, to), second: step.scale === undefined ? 0 : tensor(step.scale) };
    case 'selectRows':
      return through(step, to);
    case 'activation':
      return { ...through(step, to), kind: Activation[step.kind] };
    case 'linear':
      return linear(step, to);
    case 'cacheAppend':
      return { input: tensor(step.k), second: tensor(step.v), width: width(step.k, to), ...source(step.source, to) };
    case 'attentionScores':
    case 'attention':
      return { input: tensor(step.q), ...attention(step, step.q, to), ...distances(step.bias, to), scale: step.scale };
    case 'maskedSoftmax':
      return { input: tensor(step.input), ...attention(step, step.input, to) };
    case 'attentionMix':
      return { input: tensor(step.pattern), ...attention(step, step.output, to), keyWidth: to.keyWidth(step.pattern) };
    default:
      return step satisfies never;
  }
}

const width = (name: string, { plan }: Lowering): number => widthOf(plan.tensors.get(name)!);

/** A tensor [rows, width] that an op of rows makes. */
const output = (step: { output: string }, to: Lowering): Fields => ({
  output: to.tensor(step.output),
  width: width(step.output, to),
  wanted: +(to.plan.tensors.get(step.output)!.shape[0] === 'logitRows'),
});

const through = (step: { input: string; output: string }, to: Lowering): Fields => ({
  ...output(step, to),
  input: to.tensor(step.input),
  width: width(step.input, to),
});

/** The weights of `embed`, up to three. */
function tables(given: readonly EmbedTable[], to: Lowering): Fields {
  if (given.length > 3) throw new VitrineError('bad-option', `A sum of ${given.length} tables; at most 3 are known.`);
  const [first, ...others] = given.map(({ weight: name, by, first = 0, scale = 1 }) => {
    const { values, scales, format } = to.weight(name);
    return { weight: values, scales, format: Format[format], by: By[by], first, factor: scale };
  });
  const numbered = others.flatMap((table, i) =>
    Object.entries(table).map(([field, value]) => [field + (i + 1), value]),
  );
  return { ...first, ...(Object.fromEntries(numbered) as Fields) };
}

const norm = ({ weight, bias, epsilon, centred }: Norm, to: Lowering): Fields => ({
  normWeight: to.weight(weight).values,
  normBias: optional(bias, to),
  epsilon,
  centred: +centred,
});

/** The address of a vector, or 0. */
const optional = (name: string | undefined, to: Lowering): number => (name === undefined ? 0 : to.weight(name).values);

function source(name: string, to: Lowering): Fields {
  const { keys, values, places, nHead, headDim, axis } = to.source(name);
  return { keys, values, places, keyHeads: nHead, headDim, memory: +(axis === 'source') };
}

/** @param shaped a tensor that has as many heads as the queries */
function attention(step: { source: string; output: string }, shaped: string, to: Lowering): Fields {
  const spec = to.plan.tensors.get(shaped)!;
  const nHead = keyAxisOf(spec) ? (spec.shape[0] as number) : widthOf(spec) / to.source(step.source).headDim;
  return {
    ...source(step.source, to),
    output: to.tensor(step.output),
    nHead,
    keyWidth: to.keyWidth(step.output),
  };
}

function distances(name: string | undefined, to: Lowering): Fields {
  if (name === undefined) return {};
  const { values, format, spec } = to.weight(name);
  if (format !== 'f32')
    throw new VitrineError('bad-option', `${name} is in ${format}; a position bias is read as f32.`);
  return { distances: values, farthest: (spec.columns - 1) / 2 };
}

function linear(step: Step & { op: 'linear' }, to: Lowering): Fields {
  const { spec, values, scales, format } = to.weight(step.weight);
  const { outputs } = step;
  if (outputs.length > 3) {
    throw new VitrineError('bad-option', `${step.weight} has ${outputs.length} outputs; at most 3 are known.`);
  }
  const [first, second, third] = outputs.map((name) => ({ at: to.tensor(name), width: width(name, to) }));
  const shaped = outputs.map((name) => to.plan.tensors.get(name)!.shape[0]);
  return {
    input: to.tensor(step.input),
    width: spec.columns,
    output: first?.at,
    outputWidth: first?.width,
    output1: second?.at,
    outputWidth1: second?.width,
    output2: third?.at,
    outputWidth2: third?.width,
    weight: values,
    scales,
    format: Format[format],
    bias: optional(step.bias, to),
    ...(step.norm && norm(step.norm, to)),
    kind: Activation[step.activation ?? 'none'],
    gate: step.gate === undefined ? 0 : to.tensor(step.gate),
    second: step.residual === undefined ? 0 : to.tensor(step.residual),
    wanted: +(shaped[0] === 'logitRows'),
    select: +!!step.select,
    ...(step.cache === undefined ? {} : source(step.cache, to)),
  };
}
