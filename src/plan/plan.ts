import type { Activation } from './activate.ts';
import { type Adjoint, adjointInputs, adjointOutputs } from './adjoint.ts';
import type { TensorEdit } from './tensor-edit.ts';

export type { Activation, TensorEdit };

/**
 * The widths a tensor's axes can have: a number, or a size known only when the plan runs. `context` counts the keys of a text
 * itself, `source` those of the text that it was encoded from.
 */
export type Axis = number | 'rows' | 'logitRows' | 'context' | 'source';

/** What the axes of a run are. */
export type AxisSizes = Record<Exclude<Axis, number>, number>;

/** A named intermediate. The name is the TransformerLens hook name. */
export interface TensorSpec {
  name: string;
  /** As `trace` returns it, e.g. `['rows', nHead, headDim]` for `hook_q`, `[nHead, 'rows', 'context']` for `hook_pattern`. */
  shape: Axis[];
}

/**
 * A weight by its Hugging Face name without the `transformer.` prefix. A matrix is used as `[out, in]`: one row per
 * output, so that a row is one dot product (and one row of an embedding table).
 */
export interface WeightSpec {
  name: string;
  kind: 'matrix' | 'vector';
  /** Outputs of a matrix (words of an embedding table); 1 for a vector. */
  rows: number;
  /** Inputs of a matrix; the length of a vector. */
  columns: number;
  /** GPT-2's Conv1D layers are stored `[in, out]` in safetensors; a reader turns them round. */
  storedTransposed: boolean;
  /** Its shape in the file, where that is not simply [rows, columns]: a convolution's, or with axes of 1. */
  storedShape?: readonly number[];
  /** Stored tensors that lie one behind the other in it: q, k and v, which are one layer here. */
  parts?: readonly WeightPiece[];
  /** The row of the stored tensor that row i is, where they are in another order there; of a vector its values. */
  order?: (i: number) => number;
  /** It is no parameter: learning leaves it as it is. */
  isBuffer?: boolean;
  /** Made from other tensors of the file, or from none (sinusoids), instead of being read. */
  computed?: {
    from: readonly StoredShape[];
    values(...stored: Float32Array[]): Float32Array;
    /** What a gradient of the values [rows, columns] is of each stored tensor. */
    adjoint?(gradient: Float32Array): Float32Array[];
  };
}

/** A stored tensor of so many of a weight's rows (of a vector's columns). */
export interface WeightPiece {
  name: string;
  length: number;
}

/** The stored tensors of a weight that is not computed: several that are one here, or itself. */
export const piecesOf = ({ name, kind, rows, columns, parts }: WeightSpec): readonly WeightPiece[] =>
  parts ?? [{ name, length: kind === 'vector' ? columns : rows }];

/** A tensor of the file by name, with its shape there. */
export interface StoredShape {
  name: string;
  shape: readonly number[];
}

/** A tensor of the file as a weight by itself, whatever weight is made of it: all of its values, as they are stored. */
export function asVector({ name, shape }: StoredShape): WeightSpec {
  return { name, kind: 'vector', rows: 1, columns: product(shape), storedShape: shape, storedTransposed: false };
}

/** Layer normalisation (Ba, Kiros & Hinton 2016), or, not `centred`, root mean square normalisation (Zhang & Sennrich 2019). */
export interface Norm {
  weight: string;
  bias?: string;
  epsilon: number;
  /** The mean is taken off first. */
  centred: boolean;
}

/** A table whose rows are looked up by one of a row's numbers. */
export interface EmbedTable {
  weight: string;
  by: 'token' | 'position' | 'segment';
  /** The row of number 0; 0 if absent. */
  first?: number;
  /** Its values are multiplied by this. */
  scale?: number;
  /** The number whose row is not learnt, as it stands for no token: PyTorch's padding_idx. */
  padding?: number | undefined;
}

/** Keys and values that attention reads, [places, nHead, headDim] each, and how long they live. */
export interface KeySource {
  /** Heads of the keys: as many as queries have, or fewer, each for several of these one after the other. */
  nHead: number;
  headDim: number;
  /**
   * `context`: a cache that lives across runs, with a place for each position of each slot; `source`: a memory that the
   * encoder fills; `rows`: the keys of the very run, with a place for each row.
   */
  axis: 'context' | 'source' | 'rows';
}

/** Whose keys a step sees. Which of them, its rows say (see `Row`). */
interface Keys {
  /** Name of the key source. */
  source: string;
  /** A row sees so many of the last keys at most, its own included (sliding windows). */
  window?: number;
}

/** Attention's scores: q · k * scale, + a bias by distance. */
interface Scores extends Keys {
  q: string;
  scale: number;
  /**
   * A weight [nHead, 2 d + 1]: what is added to a head's score of the key that lies so many places behind (-d) to after (d) the
   * row's own; farther ones take the nearest.
   */
  bias?: string;
}

/**
 * What an adapter adds to the sums of a linear layer, before its activation (LoRA, Hu et al. 2021): to the columns of the p-th part of
 * the layer, columns [p rank, (p + 1) rank) of input [rows, parts * rank] times the transpose of their rows of weight [out, rank].
 */
export interface LowRank {
  input: string;
  /** A vector of out * rank values, so that no row is padded. */
  weight: string;
  /** A multiple of 4. */
  rank: number;
  /** Columns of each part. */
  parts: readonly number[];
}

/**
 * One step: an op over named tensors. `[rows, ...]` tensors have one row for each row of the batch. The optional fields of
 * `linear` are what fusion puts there: `select` and `norm` before, `activation`, `gate` and `residual` after the product.
 */
export type Step =
  /** output [rows, n] = the sum of a row of each table */
  | { op: 'embed'; tables: readonly EmbedTable[]; output: string }
  /** output [rows, n] = the batch's own numbers (`Batch.input`) */
  | { op: 'input'; output: string }
  /** output [rows, n] = a + b, or a * b */
  | { op: 'binary'; kind: 'add' | 'multiply'; a: string; b: string; output: string }
  /** output [rows, 1], or [rows, nHead, 1] of each head, = sqrt(variance(input) + epsilon), or not centred, sqrt(mean of squares + epsilon) */
  | { op: 'normScale'; input: string; output: string; epsilon: number; centred: boolean }
  /** output = (input - mean) / scale * weight + bias; without `scale` it is computed on the way */
  | ({ op: 'norm'; input: string; scale?: string; output: string } & Norm)
  /** output [logitRows, n] = the rows of input [rows, n] whose logits are wanted */
  | { op: 'selectRows'; input: string; output: string }
  /** outputs side by side = act(norm(input) weightᵀ + lowRank + bias) * gate + residual; weight [out, in], each output as wide as its tensor */
  | {
      op: 'linear';
      input: string;
      weight: string;
      bias?: string;
      lowRank?: LowRank;
      outputs: string[];
      /** Read only the rows whose logits are wanted; the outputs are [logitRows, out]. */
      select?: boolean;
      norm?: Norm;
      /** Gives the normed input too, which others read. */
      normed?: string;
      activation?: Activation;
      /** The weight has twice as many rows: what the second half makes multiplies what the activation made of the first half. */
      gated?: boolean;
      gate?: string;
      residual?: string;
      /** Key source that takes the columns behind those of `outputs`: as many keys, then as many values. */
      cache?: string;
    }
  /**
   * output [rows, nHead, headDim] = input, each head's first pairs turned by its row's angles (Su et al. 2021): the halves x and y
   * become x cos - y sin and y cos + x sin. `table` [positions, pairs * 2] has cosines, then sines.
   */
  | { op: 'rotate'; input: string; table: string; output: string }
  /** Appends keys and values [rows, nHead, headDim] to a source, at the rows' places. */
  | ({ op: 'cacheAppend'; k: string; v: string } & Keys)
  /**
   * Fused rotations + cacheAppend: output [rows, nHead, headDim] = q turned; k turned, and v, appended to a source. With `norms` each
   * head of q and k is normed first.
   */
  | {
      op: 'rotateAppend';
      q: string;
      k: string;
      v: string;
      table: string;
      norms?: { q: Norm; k: Norm };
      source: string;
      output: string;
    }
  /** output [nHead, rows, context | source] = q kᵀ * scale + bias over the keys that each row sees, -Infinity beyond */
  | ({ op: 'attentionScores'; output: string } & Scores)
  /** output [nHead, rows, context | source] = softmax over the keys that each row sees, 0 beyond */
  | ({ op: 'maskedSoftmax'; input: string; output: string } & Keys)
  /** output [rows, nHead, headDim] = pattern v */
  | ({ op: 'attentionMix'; pattern: string; output: string } & Keys)
  /** fused scores + softmax + mix: output [rows, nHead, headDim] */
  | ({ op: 'attention'; output: string } & Scores)
  | { op: 'activation'; kind: Activation; input: string; output: string }
  /** Changes `tensor` in place. */
  | { op: 'edit'; tensor: string; edits: TensorEdit[] }
  | Adjoint;

export type Op = Step['op'];
/** Ops of a model itself, not of a gradient. */
export type ForwardOp = Exclude<Op, 'adjoint'>;

/** A weight that is no part of the checkpoint, with its values, kept as float32. */
export interface AddedWeight {
  spec: WeightSpec;
  values: Float32Array;
}

/** What a head tells, and how it is kept. */
export interface HeadForm {
  labels: readonly string[];
  /** Several classes may hold at once. */
  isMulti?: boolean;
  /** What transformers calls the layer, where that has it: of a decoder `score`, of an image encoder `classifier`. */
  module?: string;
}

/** A layer over a model's features that tells classes: weight [labels, features], bias [labels]. */
export interface ClassHead extends HeadForm {
  weight: Float32Array;
  bias: Float32Array;
}

/** What a model is: weights, named tensors, and the steps between them. */
export interface Plan {
  /** Positions the model was made for: the longest context. */
  nCtx: number;
  vocabSize: number;
  weights: WeightSpec[];
  tensors: Map<string, TensorSpec>;
  /** Second names of tensors: `blocks.1.hook_resid_pre` is `blocks.0.hook_resid_post`. */
  aliases: Map<string, string>;
  sources: Map<string, KeySource>;
  /** The part that fills the memory, where there is one; its runs are those with `Batch.encodes`. */
  encoder?: Step[];
  steps: Step[];
  /** The gradient of `encoder`, after that of `steps`; its runs are those with `Batch.encodes` of 'backward'. */
  encoderBackward?: Step[];
  /** What an adapter brought along; on a device only as long as a program needs it. The list is the adapter's identity. */
  added?: readonly AddedWeight[];
  /** A head that an adapter brought: for what is no part of the plan's steps. */
  head?: ClassHead;
}

/** The steps of all parts of a plan, in the order in which they run. */
export const stepsOf = ({ encoder = [], steps, encoderBackward = [] }: Plan): Step[] => [
  ...encoder,
  ...steps,
  ...encoderBackward,
];

type Names = readonly (string | undefined)[];
/** A step of one op. */
export type StepOf<K extends Op> = Extract<Step, { op: K }>;

/** What a step of each op reads, writes, and the weights that it reads; liveness, fusion and edits all follow from these. */
const uses: { [K in Op]: (step: StepOf<K>) => readonly [reads: Names, writes: Names, weights?: Names] } = {
  embed: ({ tables, output }) => [[], [output], tables.map(({ weight }) => weight)],
  input: ({ output }) => [[], [output]],
  binary: ({ a, b, output }) => [[a, b], [output]],
  normScale: ({ input, output }) => [[input], [output]],
  norm: ({ input, scale, output, weight, bias }) => [[input, scale], [output], [weight, bias]],
  selectRows: ({ input, output }) => [[input], [output]],
  linear: ({ input, lowRank, gate, residual, outputs, normed, weight, bias, norm }) => [
    [input, lowRank?.input, gate, residual],
    [...outputs, normed],
    [weight, bias, lowRank?.weight, norm?.weight, norm?.bias],
  ],
  rotate: ({ input, output, table }) => [[input], [output], [table]],
  cacheAppend: ({ k, v }) => [[k, v], []],
  rotateAppend: ({ q, k, v, output, table, norms }) => [[q, k, v], [output], [table, norms?.q.weight, norms?.k.weight]],
  attentionScores: ({ q, output, bias }) => [[q], [output], [bias]],
  maskedSoftmax: ({ input, output }) => [[input], [output]],
  attentionMix: ({ pattern, output }) => [[pattern], [output]],
  attention: ({ q, output, bias }) => [[q], [output], [bias]],
  activation: ({ input, output }) => [[input], [output]],
  edit: ({ tensor }) => [[tensor], [tensor]],
  adjoint: (step) => [adjointInputs(step), adjointOutputs(step), 'weight' in step ? [step.weight] : []],
};

const used = (step: Step, which: 0 | 1 | 2): string[] =>
  ((uses[step.op] as (step: Step) => readonly Names[])(step)[which] ?? []).filter((name) => name !== undefined);

export const stepInputs = (step: Step): string[] => used(step, 0);
export const stepOutputs = (step: Step): string[] => used(step, 1);
export const stepWeights = (step: Step): string[] => used(step, 2);

/** The values of a tensor's shape for a run of these sizes. */
export function shapeOf(spec: TensorSpec, sizes: AxisSizes): number[] {
  return spec.shape.map((axis) => (typeof axis === 'number' ? axis : sizes[axis]));
}

/** Whether a plan has a gradient behind it. */
export const learns = ({ steps }: Plan): boolean => steps.some(({ op }) => op === 'adjoint');

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Numbers one behind the other. */
export function joined(parts: readonly ArrayLike<number>[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Values in a row of a tensor [rows, ...]. */
export const widthOf = ({ shape }: TensorSpec): number => product(shape.slice(1) as number[]);

/** The axis along which a tensor [nHead, rows, keys] has keys; undefined for others. */
export function keyAxisOf({ shape }: TensorSpec): 'context' | 'source' | undefined {
  const last = shape.at(-1);
  return last === 'context' || last === 'source' ? last : undefined;
}

/** How a tensor's values lie, as edits see it: [nHead, rows, keys], [rows, nHead, inner] or [rows, inner]. */
export function editAxesOf(spec: TensorSpec): { keys: ReturnType<typeof keyAxisOf>; nHead?: number; inner: Axis } {
  const { shape } = spec;
  const keys = keyAxisOf(spec);
  const nHead = keys ? shape[0] : shape.length === 3 ? shape[1] : undefined;
  return { keys, inner: shape.at(-1)!, ...(nHead !== undefined && { nHead: nHead as number }) };
}
