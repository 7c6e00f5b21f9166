import type { DenseActivation, DenseLayer, PoolingMode, SentenceConfig } from '../model/sentence.ts';
import { activate } from '../plan/activate.ts';

/**
 * One vector of a text's rows, as sentence-transformers pools them.
 * @param hidden [rows, width]
 * @param first rows before it are those of a prompt that does not count
 * @returns [modes * width], 0 where no row counts
 */
export function pool(hidden: Float32Array, width: number, modes: readonly PoolingMode[], first = 0): Float32Array {
  const rows = hidden.length / width;
  const pooled = new Float32Array(modes.length * width);
  if (first < rows)
    for (const [i, mode] of modes.entries()) pooled.set(pooledBy(mode, hidden, width, first), i * width);
  return pooled;
}

function pooledBy(mode: PoolingMode, hidden: Float32Array, width: number, first: number): ArrayLike<number> {
  const rows = hidden.length / width;
  switch (mode) {
    case 'cls':
      return hidden.subarray(first * width, (first + 1) * width);
    case 'lasttoken':
      return hidden.subarray((rows - 1) * width);
    case 'max':
      return largest(hidden, width, first);
    case 'mean':
      return sum(hidden, width, first, rows - first);
    case 'mean_sqrt_len':
      return sum(hidden, width, first, Math.sqrt(rows - first));
    case 'weightedmean':
      return sum(hidden, width, first, ((rows - first) * (first + 1 + rows)) / 2, 1);
    default:
      return mode satisfies never;
  }
}

/** The rows' sum in double precision, each times 1, or with `growth` 1 its number from 1 on, divided by `by`. */
function sum(hidden: Float32Array, width: number, first: number, by: number, growth = 0): Float64Array {
  const total = new Float64Array(width);
  for (let at = first * width, row = first; at < hidden.length; at += width, row++) {
    const weight = (1 + growth * row) / by;
    for (let i = 0; i < width; i++) total[i]! += hidden[at + i]! * weight;
  }
  return total;
}

function largest(hidden: Float32Array, width: number, first: number): Float32Array {
  const most = hidden.slice(first * width, (first + 1) * width);
  for (let at = (first + 1) * width; at < hidden.length; at += width) {
    for (let i = 0; i < width; i++) most[i] = Math.max(most[i]!, hidden[at + i]!);
  }
  return most;
}

const activations: Record<DenseActivation, (x: number) => number> = {
  ...activate,
  identity: (x) => x,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};

/** What a folder's layers make of a pooled vector. */
export const throughLayers = (layers: SentenceConfig['steps'], pooled: Float32Array): Float32Array =>
  layers.reduce((vector, layer) => (layer === 'normalize' ? normalized(vector) : dense(layer, vector)), pooled);

/** A layer's output for one vector. */
export function dense({ nIn, nOut, weight, bias, activation }: DenseLayer, input: Float32Array): Float32Array {
  const output = new Float32Array(nOut);
  for (let row = 0; row < nOut; row++) {
    let total = bias?.[row] ?? 0;
    for (let i = 0; i < nIn; i++) total += weight[row * nIn + i]! * input[i]!;
    output[row] = activations[activation](total);
  }
  return output;
}

/** The vector at length 1, as PyTorch's `normalize` makes it: none is divided by less than 1e-12. */
export function normalized(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.max(Math.sqrt(squares), 1e-12);
  return vector.map((value) => value / length);
}
