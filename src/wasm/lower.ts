import { VitrineError } from '../plan/error.ts';
import type { Activation, Plan, Step } from '../plan/plan.ts';
import type { WasmWeight } from './weights.ts';

/** The fields of a step in memory, in the order of kernels/step.ts. */
const fields = [
  'op',
  'input',
  'width',
  'second',
  'output',
  'output1',
  'output2',
  'outputWidth',
  'outputs',
  'weight',
  'scales',
  'format',
  'positionWeight',
  'positionScales',
  'positionFormat',
  'bias',
  'normWeight',
  'normBias',
  'epsilon',
  'activation',
  'select',
  'keys',
  'values',
  'nHead',
  'headDim',
  'context',
  'scale',
] as const;

type Field = (typeof fields)[number];
type Fields = { op: number } & Partial<Record<Field, number>>;

export const STEP_WORDS = fields.length;

const ops = {
  embed: 0,
  positionEmbed: 0,
  embedding: 0,
  add: 1,
  layerNormScale: 2,
  layerNorm: 3,
  selectRows: 4,
  linear: 5,
  cacheAppend: 6,
  attentionScores: 7,
  maskedSoftmax: 8,
  attentionMix: 9,
  attention: 10,
  activation: 11,
};

const formats = { f32: 0, f16: 1, q8: 2, q4: 3 };
const activations: Record<Activation, number> = { gelu_new: 1, gelu: 2, relu: 3, silu: 4 };

/** Where a list of steps finds things: addresses in memory. */
export interface Lowering {
  plan: Plan;
  context: number;
  weight(name: string): WasmWeight;
  tensor(name: string): number;
  /** Floats in a row of a tensor. */
  width(name: string): number;
  /** Keys and values of each layer, [slots, nHead, context, headDim rounded up to whole vectors]. */
  caches: readonly { keys: number; values: number }[];
}

export type Runnable = Exclude<Step, { op: 'edit' }>;

/** Writes a step to memory. */
export function writeStep(step: Runnable, to: Lowering, words: Uint32Array): void {
  const given = lower(step, to);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  fields.forEach((field, i) => {
    if (field === 'epsilon' || field === 'scale') floats[i] = given[field] ?? 0;
    else words[i] = given[field] ?? 0;
  });
}

function lower(step: Runnable, to: Lowering): Fields {
  const op = ops[step.op];
  const { tensor, width } = to;
  switch (step.op) {
    case 'embed':
      return { op, output: tensor(step.output), ...table(to.weight(step.weight)) };
    case 'positionEmbed':
      return { op, output: tensor(step.output), ...positionTable(to.weight(step.weight)) };
    case 'embedding': {
      const tables = { ...table(to.weight(step.weight)), ...positionTable(to.weight(step.positionWeight)) };
      return { op, output: tensor(step.output), ...tables };
    }
    case 'add':
      return { op, input: tensor(step.a), second: tensor(step.b), width: width(step.a), output: tensor(step.output) };
    case 'layerNormScale':
    case 'selectRows':
    case 'activation': {
      const kind = step.op === 'activation' ? activations[step.kind] : 0;
      const epsilon = step.op === 'layerNormScale' ? step.epsilon : 0;
      return { op, ...through(step, to), activation: kind, epsilon };
    }
    case 'layerNorm': {
      const second = step.scale === undefined ? 0 : tensor(step.scale);
      return { op, ...through(step, to), second, ...norm(step, to) };
    }
    case 'linear':
      return { op, ...linear(step, to) };
    case 'cacheAppend':
      return { op, input: tensor(step.k), second: tensor(step.v), width: width(step.k), ...cache(step.layer, to) };
    case 'attentionScores':
    case 'attention': {
      const ends = { input: tensor(step.q), width: width(step.q), output: tensor(step.output) };
      return { op, ...ends, scale: step.scale, ...cache(step.layer, to) };
    }
    case 'maskedSoftmax':
      return { op, input: tensor(step.input), output: tensor(step.output), nHead: to.plan.nHead, context: to.context };
    case 'attentionMix':
      return { op, input: tensor(step.pattern), output: tensor(step.output), ...cache(step.layer, to) };
    default:
      return step satisfies never;
  }
}

const through = ({ input, output }: { input: string; output: string }, { tensor, width }: Lowering) => ({
  input: tensor(input),
  width: width(input),
  output: tensor(output),
});

const table = ({ spec, values, scales, format }: WasmWeight) => ({
  width: spec.columns,
  weight: values,
  scales,
  format: formats[format],
});

const positionTable = ({ spec, values, scales, format }: WasmWeight) => ({
  width: spec.columns,
  positionWeight: values,
  positionScales: scales,
  positionFormat: formats[format],
});

const norm = ({ weight, bias, epsilon }: { weight: string; bias: string; epsilon: number }, to: Lowering) => ({
  normWeight: to.weight(weight).values,
  normBias: to.weight(bias).values,
  epsilon,
});

const cache = (layer: number, { caches, plan: { nHead, headDim }, context }: Lowering) => ({
  ...caches[layer]!,
  nHead,
  headDim,
  context,
});

function linear(step: Step & { op: 'linear' }, to: Lowering): Partial<Fields> {
  const weight = to.weight(step.weight);
  const outputs = step.cache === undefined ? step.outputs.length : 3;
  if (outputs > 3) throw new VitrineError('bad-option', `${step.weight} has ${outputs} outputs; at most 3 are known.`);
  const [output, output1, output2] = step.outputs.map(to.tensor);
  return {
    input: to.tensor(step.input),
    ...table(weight),
    output,
    output1,
    output2,
    outputs,
    outputWidth: weight.spec.rows / outputs,
    bias: step.bias === undefined ? 0 : to.weight(step.bias).values,
    ...(step.norm ? norm(step.norm, to) : {}),
    activation: step.activation ? activations[step.activation] : 0,
    second: step.residual === undefined ? 0 : to.tensor(step.residual),
    select: step.select ? 1 : 0,
    ...(step.cache === undefined ? {} : cache(step.cache, to)),
  };
}
