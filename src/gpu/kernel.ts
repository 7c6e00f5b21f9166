import type { WeightFormat } from '../plan/backend.ts';
import { isScaled } from '../plan/formats.ts';
import type { KvFormat } from '../plan/kv.ts';
import type { AxisSizes, KeySource, Plan } from '../plan/plan.ts';
import type { Buffers } from './buffers.ts';
import type { Weights } from './weights.ts';

/** Sizes of one run, which decide how many workgroups a kernel needs. */
export interface RunSizes extends AxisSizes {
  /** Whether attention may take rows in tiles (see `runSizesOf`): over keys of the text itself, and over those of the memory. */
  tiles: { context: boolean; source: boolean };
}

/** One dispatch in the making: files of shaders/ put one behind the other, override constants, buffers, workgroups. */
export interface Kernel {
  files: readonly string[];
  constants: Record<string, number>;
  /** By binding number; undefined where the weight format has no scales. */
  bindings: Record<number, GPUBuffer | undefined>;
  workgroups(sizes: RunSizes): [x: number, y?: number, z?: number];
}

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
  tensor(name: string): GpuTensor;
  source(name: string): GpuKeySource;
}

/** What `find` finds by a name, where there is one. */
export const optional = <T>(name: string | undefined, find: (name: string) => T): T | undefined =>
  name === undefined ? undefined : find(name);

/** A boolean constant. */
export const flag = (condition: unknown): 0 | 1 => (condition ? 1 : 0);

/** Constants of batch.wgsl: which keys a kernel is about. */
export const keyConstants = ({ axis }: Pick<KeySource, 'axis'>) => ({ MEMORY: flag(axis === 'source') });

/** Constants of batch.wgsl: which rows a kernel makes. */
export const rowConstants = ({ axis }: GpuTensor) => ({ LOGIT_ROWS: flag(axis === 'logitRows') });

/** The files that read a format's weights. */
export const weightFiles = (format: WeightFormat): string[] => [
  ...(isScaled(format) ? ['weights/scales.wgsl'] : []),
  `weights/${format}.wgsl`,
];

export const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);
