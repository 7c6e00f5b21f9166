import rowSource from '../../../shaders/linear-row.wgsl?raw';
import rowInputSource from '../../../shaders/linear-row-input.wgsl?raw';
import lanesSource from '../../../shaders/linear-row-lanes.wgsl?raw';
import storeSource from '../../../shaders/linear-store.wgsl?raw';
import tileSource from '../../../shaders/linear-tile.wgsl?raw';
import tileInputSource from '../../../shaders/linear-tile-input.wgsl?raw';
import sharedSource from '../../../shaders/linear-tile-shared.wgsl?raw';
import type { Activation } from '../../plan/plan.ts';
import { ceilDiv, type GpuTensor, type Kernel, type Scene } from '../kernel.ts';
import type { GpuWeight } from '../weights.ts';
import { activationNumber } from './activation.ts';
import { activateFile, batchFile, formatFile } from './files.ts';

/** A linear layer over some rows of its weight, with what is fused into it. */
export interface Linear {
  x: GpuTensor;
  weight: GpuWeight;
  /** Rows [first, first + count) of the weight make columns 0 .. count of the output. */
  first: number;
  count: number;
  output: GpuTensor;
  /** Bias of these columns, then the norm's weight and bias, each padded to a multiple of 64; absent without any. */
  vectors: GPUBuffer | undefined;
  bias: boolean;
  norm?: { epsilon: number } | undefined;
  activation?: Activation | undefined;
  residual?: GpuTensor | undefined;
  select: boolean;
  /** Takes the second and third third of the columns. */
  cache?: GPUBuffer | undefined;
  /** Bound in place of the cache where there is none. */
  unused: GPUBuffer;
}

/**
 * How kernels split their work. `registers`: each invocation on its own, many results each, no barrier. `workgroups`:
 * many invocations together, through workgroup memory. Results are equal but for rounding.
 */
export type Variant = 'registers' | 'workgroups';

const rowKernels = {
  registers: { file: { name: 'linear-row.wgsl', source: rowSource }, outputs: 8 * 32, constants: { WORKGROUP: 32 } },
  workgroups: { file: { name: 'linear-row-lanes.wgsl', source: lanesSource }, outputs: 4, constants: {} },
};

/** Outputs and rows that a workgroup makes. */
const tileKernels = {
  registers: { file: { name: 'linear-tile.wgsl', source: tileSource }, outputs: 8 * 8, rows: 8 * 4 },
  workgroups: { file: { name: 'linear-tile-shared.wgsl', source: sharedSource }, outputs: 64, rows: 64 },
};

/** For few rows. One dispatch for each part of the weight. */
export function linearRow(scene: Scene, linear: Linear, variant: Variant): Kernel[] {
  const { x, norm, count } = linear;
  const { file, outputs, constants } = rowKernels[variant];
  const inputFile = { name: 'linear-row-input.wgsl', source: rowInputSource };
  return linearKernels(scene, linear, [inputFile, file], (n) => ({
    constants: {
      K: x.width,
      NORM: norm ? 1 : 0,
      EPSILON: norm?.epsilon ?? 0,
      NORM_AT: (Math.ceil(count / 64) * 64) / 4,
      ...constants,
    },
    workgroups: (rows) => [ceilDiv(n, outputs), rows],
  }));
}

/** For many rows, without a norm. */
export function linearTile(scene: Scene, linear: Linear, variant: Variant): Kernel[] {
  const { file, ...tile } = tileKernels[variant];
  const inputFile = { name: 'linear-tile-input.wgsl', source: tileInputSource };
  return linearKernels(scene, linear, [inputFile, file], (n) => ({
    constants: {},
    workgroups: (rows) => [ceilDiv(n, tile.outputs), ceilDiv(rows, tile.rows)],
  }));
}

function linearKernels(
  scene: Scene,
  linear: Linear,
  own: Kernel['files'],
  variant: (n: number) => { constants: Record<string, number>; workgroups: (rows: number) => [number, number] },
): Kernel[] {
  const { x, weight, first, count, output, residual, cache, select, unused } = linear;
  return weight.parts.flatMap((part) => {
    const from = Math.max(first, part.first);
    const n = Math.min(first + count, part.first + part.rows) - from;
    if (n <= 0) return [];
    const { constants, workgroups } = variant(n);
    return {
      files: [
        batchFile,
        formatFile[weight.format],
        activateFile,
        { name: 'linear-store.wgsl', source: storeSource },
        ...own,
      ],
      constants: {
        ROW_UNITS: weight.stride / 16,
        WEIGHT_ROW: from - part.first,
        COLUMN: from - first,
        N: n,
        BIAS: linear.bias ? 1 : 0,
        ACTIVATION: linear.activation ? activationNumber[linear.activation] : 0,
        RESIDUAL: residual ? 1 : 0,
        CACHE: cache ? 1 : 0,
        SELECT: select ? 1 : 0,
        OUT_STRIDE: output.stride,
        CACHE_WIDTH: scene.nHead * scene.headDim,
        CONTEXT: scene.context,
        SLOTS: scene.slots,
        ...constants,
      },
      bindings: {
        0: scene.batch,
        1: part.values,
        2: part.scales,
        3: x.buffer,
        4: linear.vectors ?? x.buffer,
        5: residual?.buffer ?? x.buffer,
        6: output.buffer,
        7: cache ?? unused,
      },
      workgroups: (sizes) => workgroups(select ? sizes.logitRows : sizes.rows),
    };
  });
}
