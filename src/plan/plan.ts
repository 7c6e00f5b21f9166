/** The widths a tensor's axes can have: a number, or a size known only when the plan runs. */
export type Axis = number | 'rows' | 'logitRows' | 'context';

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
}

export type Activation = 'gelu_new' | 'gelu' | 'relu' | 'silu';

export interface Norm {
  weight: string;
  bias: string;
  epsilon: number;
}

/** An edit made ready to run (see edit.ts): new values for some positions and heads of one tensor. */
export interface TensorEdit {
  kind: 'set' | 'scale' | 'add';
  /** Positions of the text, in order of `values`; undefined: all. */
  positions: number[] | undefined;
  /** Heads, in order of `values`; undefined: all, or the tensor has none. */
  heads: number[] | undefined;
  /** One number for all, or [positions, heads, inner] values; [heads, inner] values with `shared`. */
  values: number | Float32Array;
  /** The values are those of one position, used at each. */
  shared: boolean;
}

/**
 * One step: an op over named tensors. `[rows, ...]` tensors have one row for each token of the batch. The optional
 * fields of `linear` are what fusion puts there: `select` and `norm` before, `activation` and `residual` after the product.
 */
export type Step =
  /** output [rows, nEmbd] = weight[token] */
  | { op: 'embed'; weight: string; output: string }
  /** output [rows, nEmbd] = weight[position] */
  | { op: 'positionEmbed'; weight: string; output: string }
  /** fused embed + positionEmbed + add: output [rows, nEmbd] = weight[token] + positionWeight[position] */
  | { op: 'embedding'; weight: string; positionWeight: string; output: string }
  /** output [rows, n] = a + b */
  | { op: 'add'; a: string; b: string; output: string }
  /** output [rows, 1] = sqrt(variance(input) + epsilon) */
  | { op: 'layerNormScale'; input: string; output: string; epsilon: number }
  /** output = (input - mean) / scale * weight + bias; without `scale` it is computed on the way */
  | ({ op: 'layerNorm'; input: string; scale?: string; output: string } & Norm)
  /** output [logitRows, n] = the rows of input [rows, n] whose logits are wanted */
  | { op: 'selectRows'; input: string; output: string }
  /** outputs side by side = act(norm(input) weightᵀ + bias) + residual; weight [out, in], outputs of equal width */
  | {
      op: 'linear';
      input: string;
      weight: string;
      bias?: string;
      outputs: string[];
      /** Read only the rows whose logits are wanted; the outputs are [logitRows, out]. */
      select?: boolean;
      norm?: Norm;
      activation?: Activation;
      residual?: string;
      /** Layer whose KV cache takes the second and third third of the columns; `outputs` is then the first third alone. */
      cache?: number;
    }
  /** Appends keys and values [rows, nHead, headDim] to the layer's KV cache [slots, context, nHead, headDim]. */
  | { op: 'cacheAppend'; k: string; v: string; layer: number }
  /** output [nHead, rows, context] = q kᵀ * scale over the cached keys of the row's slot, -Infinity above the row's position */
  | { op: 'attentionScores'; q: string; layer: number; scale: number; output: string }
  /** output [nHead, rows, context] = softmax over keys 0 ..= position, 0 elsewhere */
  | { op: 'maskedSoftmax'; input: string; output: string }
  /** output [rows, nHead, headDim] = pattern v */
  | { op: 'attentionMix'; pattern: string; layer: number; output: string }
  /** fused scores + softmax + mix: output [rows, nHead, headDim] */
  | { op: 'attention'; q: string; layer: number; scale: number; output: string }
  | { op: 'activation'; kind: Activation; input: string; output: string }
  /** Changes `tensor` in place. */
  | { op: 'edit'; tensor: string; edits: TensorEdit[] };

export type Op = Step['op'];

/** What a model is: weights, named tensors, and the steps between them. */
export interface Plan {
  nLayer: number;
  nHead: number;
  headDim: number;
  nEmbd: number;
  /** Positions the model was made for: the longest context. */
  nCtx: number;
  vocabSize: number;
  weights: WeightSpec[];
  tensors: Map<string, TensorSpec>;
  /** Second names of tensors: `blocks.1.hook_resid_pre` is `blocks.0.hook_resid_post`. */
  aliases: Map<string, string>;
  steps: Step[];
}

/** The tensors a step reads and writes; liveness, fusion and edits all follow from these two. */
export function stepInputs(step: Step): string[] {
  switch (step.op) {
    case 'embed':
    case 'positionEmbed':
    case 'embedding':
      return [];
    case 'add':
      return [step.a, step.b];
    case 'layerNorm':
      return step.scale === undefined ? [step.input] : [step.input, step.scale];
    case 'linear':
      return step.residual === undefined ? [step.input] : [step.input, step.residual];
    case 'cacheAppend':
      return [step.k, step.v];
    case 'attentionScores':
    case 'attention':
      return [step.q];
    case 'attentionMix':
      return [step.pattern];
    case 'layerNormScale':
    case 'selectRows':
    case 'maskedSoftmax':
    case 'activation':
      return [step.input];
    case 'edit':
      return [step.tensor];
    default:
      return step satisfies never;
  }
}

export function stepOutputs(step: Step): string[] {
  if (step.op === 'linear') return step.outputs;
  if (step.op === 'cacheAppend') return [];
  if (step.op === 'edit') return [step.tensor];
  return [step.output];
}

/** The weights a step reads. */
export function stepWeights(step: Step): string[] {
  switch (step.op) {
    case 'embed':
    case 'positionEmbed':
      return [step.weight];
    case 'embedding':
      return [step.weight, step.positionWeight];
    case 'layerNorm':
      return [step.weight, step.bias];
    case 'linear':
      return [step.weight, step.bias, step.norm?.weight, step.norm?.bias].filter((w) => w !== undefined);
    default:
      return [];
  }
}

/** The values of a tensor's shape for a run of `rows` rows. */
export function shapeOf(spec: TensorSpec, sizes: { rows: number; logitRows: number; context: number }): number[] {
  return spec.shape.map((axis) => (typeof axis === 'number' ? axis : sizes[axis]));
}
