import type { ShaderFile } from './shader.ts';

/** Sizes of one run, which decide how many workgroups a kernel needs. */
export interface RunSizes {
  rows: number;
  logitRows: number;
  keys: number;
  /** All rows are of one slot. */
  oneSlot: boolean;
}

/** One dispatch in the making: shader files put one behind the other, override constants, buffers, workgroups. */
export interface Kernel {
  files: readonly ShaderFile[];
  constants: Record<string, number>;
  /** By binding number; undefined where the weight format has no scales. */
  bindings: Record<number, GPUBuffer | undefined>;
  workgroups(sizes: RunSizes): [x: number, y?: number, z?: number];
}

/** A tensor on the device: rows of `width` values, `stride` apart; attention tensors are [nHead, rows, context]. */
export interface GpuTensor {
  buffer: GPUBuffer;
  width: number;
  stride: number;
}

/** How keys and values are kept: as they are, or as halves, half as large. */
export type CacheFormat = 'f32' | 'f16';

/** What every kernel needs besides its tensors. */
export interface Scene {
  /** The rows of the run (shaders/batch.wgsl). */
  batch: GPUBuffer;
  /** Rows the tensors have room for. */
  rows: number;
  nHead: number;
  headDim: number;
  context: number;
  slots: number;
  kv: CacheFormat;
}

export const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);
