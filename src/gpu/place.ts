import type { KvFormat } from '../plan/kv.ts';
import type { KeySource, Plan } from '../plan/plan.ts';
import type { Buffers } from './buffers.ts';
import type { Weights } from './weights.ts';

/** A tensor on the device: rows of `width` values, `stride` apart; attention's are [nHead, rows, keys] of the run, with room for `width` keys. */
export interface GpuTensor {
  buffer: GPUBuffer;
  width: number;
  stride: number;
  /** Of its first value in a row: not 0 where several lie side by side in one buffer. */
  offset: number;
  /** Rows there is room for, and which of a run's they are. */
  rows: number;
  axis: 'rows' | 'logitRows';
  /** It has all of its rows in every run: the gradient of a weight. */
  fixed?: boolean;
}

/** Some rows of a tensor that is too large to be bound as a whole. */
export interface TensorPart {
  buffer: GPUBuffer;
  first: number;
  rows: number;
}

/** Keys and values on the device, [2, places, nHead, headDim]: values are in the second half of the buffer. */
export interface GpuKeySource extends KeySource {
  buffer: GPUBuffer;
  format: KvFormat;
}

/** Where a step's kernels find what they work on. */
export interface Place {
  plan: Plan;
  /** The rows of the run (shaders/batch.wgsl). */
  batch: GPUBuffer;
  /** What a loss compares logits with: its scale, three numbers that are not used, then the labels of the logit rows. */
  labels: GPUBuffer;
  /** Bound where a kernel's output is not used. */
  unused: GPUBuffer;
  weights: Weights;
  /** Takes what edits bring along. */
  buffers: Buffers;
  /** Of a tensor in several buffers, by the first. */
  parts?: ReadonlyMap<GPUBuffer, readonly TensorPart[]>;
  tensor(name: string): GpuTensor;
  source(name: string): GpuKeySource;
}
