import type { Activation } from './activate.ts';
import type { TensorEdit } from './tensor-edit.ts';

/**
 * The loss of a row by its numbers and labels, each with its own: linear, squared error, or binary cross-entropy of logits; `answers`
 * are two columns over the rows of a text, of each of which one is right.
 */
export type PointLoss = 'dot' | 'squared' | 'logistic' | 'answers';

/** Of an adjoint's result it is added to what its output holds already, instead of written over it. */
interface Adding {
  adds: boolean;
}

/** Which keys attention saw, as in the forward step. */
interface Seen {
  source: string;
  window?: number;
}

/**
 * A step of a gradient: the vector-Jacobian product of a forward step, with respect to one of its tensors or weights. Tensors that it
 * reads are in `reads`; a gradient has the shape of what it is of. `residual`, where given, is a tensor of the output's shape that is
 * added. Sums are over all rows of the run. `n` is the last axis of a norm, whose heads count as rows of their own.
 */
export type Adjoint = { op: 'adjoint' } & (
  | /** output [rows, in] = (grads [rows, out] (side by side) · weight [out, in] + residual) * the derivative of `slope` at input */ {
      of: 'linear';
      reads: { grads: string[]; residual?: string; input?: string };
      /** Fused: of the activation before the layer, given with `reads.input`. */
      slope?: Activation;
      weight: string;
      output: string;
    }
  | /** output [out, in] = Σ grads [rows, out] ⊗ input [rows, in] */ ({
      of: 'linearWeight';
      reads: { grads: string[]; input: string };
      output: string;
    } & Adding)
  | /** output [n] = Σ grads [rows, n], side by side: of a bias */ ({
      of: 'columnSums';
      reads: { grads: string[] };
      output: string;
    } & Adding)
  /**
   * Of normed = (x - mean) / scale * weight + bias: with g = grad * weight and h = (x - mean) / scale,
   * output = (g - mean(g) - h mean(g h)) / scale + residual; without mean(g) where not `centred`, without h mean(g h) where `fixed`:
   * the scale was edited or is differentiated apart.
   */
  | {
      of: 'norm';
      reads: { grad: string; input: string; scale: string; residual?: string };
      weight: string;
      centred: boolean;
      fixed: boolean;
      output: string;
    }
  | /** output [n] = Σ grad * (x - mean) / scale */ ({
      of: 'normWeight';
      reads: { grad: string; input: string; scale: string };
      centred: boolean;
      output: string;
    } & Adding)
  | /** output [rows, 1] = -Σ grad * weight * (x - mean) / scale², of the scale alone */ {
      of: 'normByScale';
      reads: { grad: string; input: string; scale: string };
      weight: string;
      centred: boolean;
      output: string;
    }
  | /** output [rows, n] = grad [rows, 1] * (x - mean) / (n scale) */ {
      of: 'normScale';
      reads: { grad: string; input: string; scale: string };
      centred: boolean;
      output: string;
    }
  | /** output = grad * the derivative at input */ {
      of: 'activation';
      reads: { grad: string; input: string };
      kind: Activation;
      output: string;
    }
  | /** output [words, n]: to the row `first` + a row's number, its grad [rows, n] * scale; that of `padding` gets none */ ({
      of: 'embed';
      reads: { grad: string };
      by: 'token' | 'position' | 'segment';
      first: number;
      scale: number;
      padding: number | undefined;
      output: string;
    } & Adding)
  | /** output [rows, n] = grad [logitRows, n] in the rows that were selected, else 0 */ {
      of: 'selectRows';
      reads: { grad: string };
      output: string;
    }
  | /** output = grad turned back by each row's angles */ {
      of: 'rotate';
      reads: { grad: string };
      weight: string;
      output: string;
    }
  /**
   * output [nHead, rows, keys] = grad [rows, nHead, headDim] · values of the keys that a row sees, 0 beyond: of the pattern. Fused, with
   * `reads.pattern`, pattern * (that - Σ over keys of pattern * that): of the scores.
   */
  | ({
      of: 'attentionMix';
      reads: { grad: string; pattern?: string };
      output: string;
    } & Seen)
  | /** output = pattern * (grad - Σ over keys of pattern * grad), [nHead, rows, keys] */ {
      of: 'maskedSoftmax';
      reads: { grad: string; pattern: string };
      output: string;
    }
  | /** output [rows, nHead, headDim] = scale Σ over keys of grad [nHead, rows, keys] * keys: of the queries */ ({
      of: 'attentionScores';
      reads: { grad: string };
      scale: number;
      output: string;
    } & Seen)
  /**
   * At each place of the source `into`, in its keys or values (`part`): scale Σ over the rows that see it, and the heads that it
   * serves, of weights [nHead, rows, keys] * vectors [rows, nHead, headDim]. Weights and vectors are the pattern and z's gradient for
   * values, the scores' gradient and the queries for keys. Without `adds` all of the part is written, 0 where nobody looks.
   */
  | ({ of: 'keys'; reads: { weights: string; vectors: string }; part: 'k' | 'v'; scale: number; into: string } & Seen &
      Adding)
  | /** output [rows, nHead, headDim] = what `keys` left in a source at the rows' places: of the keys or values that were appended */ {
      of: 'cacheAppend';
      reads: Record<string, never>;
      source: string;
      part: 'k' | 'v';
      output: string;
    }
  | /** output [nHead, 2 d + 1]: to each distance the grad [nHead, rows, keys] of the scores that it was added to */ ({
      of: 'bias';
      reads: { grad: string };
      output: string;
    } & Seen &
      Adding)
  /** output = grad where the forward tensor's edits kept it: 0 where they set, times their factor where they scale */
  | { of: 'edit'; reads: { grad: string }; edits: TensorEdit[]; output: string }
  /**
   * Of Batch.labels [logitRows, 1], ids: losses [logitRows, 1] = log Σ exp(logits) - logits[id], output [logitRows, n] =
   * (softmax(logits) - onehot(id)) * Batch.lossScale. The output may take the logits' place in memory.
   */
  | { of: 'crossEntropy'; reads: { logits: string }; losses: string; output: string }
  /**
   * Of Batch.labels y [logitRows, n] and logits x: losses [logitRows, 1] = Σ over n of x y (`dot`), (x - y)² (`squared`), or
   * log(1 + exp(x)) - x y (`logistic`); output = the derivative * Batch.lossScale. Of `answers` labels are [2 place + is, 2 count + is]: a
   * row's place among the `count` rows of its text, and whether each of its columns is right: losses [logitRows, 1] = Σ over those of
   * (log Σ over the text's rows of exp(x)) - x, halved.
   */
  | { of: 'pointLoss'; reads: { logits: string }; kind: PointLoss; losses: string; output: string }
);

/** The tensors that an adjoint reads. */
export function adjointInputs(step: Adjoint): string[] {
  const own = Object.values(step.reads).flat() as string[];
  return 'adds' in step && step.adds && 'output' in step ? [...own, step.output] : own;
}

export function adjointOutputs(step: Adjoint): string[] {
  if ('losses' in step) return [step.output, step.losses];
  return 'output' in step ? [step.output] : [];
}
