import type { Activation } from '../../plan/plan.ts';
import { ceilDiv, type GpuKeySource, type GpuTensor, type Kernel, keyConstants, weightFiles } from '../kernel.ts';
import { type GpuWeight, lowRankAt } from '../weights.ts';
import { activationNumber } from './activation.ts';

/** A linear layer over some rows of its weight, with what is fused into it. */
export interface Linear {
  x: GpuTensor;
  weight: GpuWeight;
  /** Rows [first, first + count) of the weight make columns 0 .. count of the output. */
  first: number;
  count: number;
  /** Absent where all columns go to the cache. */
  output: GpuTensor | undefined;
  /** Bias of these columns, then the norm's weight and bias, each padded to a multiple of 64, and what an adapter has; absent without any. */
  vectors: GPUBuffer | undefined;
  bias: boolean;
  /** The input of what an adapter adds: in place of a gate or residual where there is none, else of the cache. */
  lowRank?: GpuTensor | undefined;
  norm?: { epsilon: number; centred: boolean } | undefined;
  /** Takes the normed input, in place of the cache. */
  normed?: GpuTensor | undefined;
  activation?: Activation | undefined;
  /** Of the count rows of the weight the second half makes what multiplies the first half's results. */
  gated: boolean;
  /** At most one of the two. */
  gate?: GpuTensor | undefined;
  residual?: GpuTensor | undefined;
  select: boolean;
  /** Takes the columns behind the output's. */
  cache?: GpuKeySource | undefined;
  /** Bound in place of an output where there is none. */
  unused: GPUBuffer;
}

/** A way of splitting a kernel's work: its files, what one workgroup makes, and what the device must offer. */
interface Split {
  files: string[];
  /** Columns and rows of the output that a workgroup makes. */
  outputs: number;
  rows: number;
  constants?: Record<string, number>;
  needs?: 'subgroups';
}

/** A workgroup of 64 in teams of so many lanes, each with two outputs. */
function lanes(perTeam: number): Split {
  return {
    files: ['linear-row-input.wgsl', 'linear-row-lanes.wgsl'],
    outputs: 2 * (64 / perTeam),
    rows: 1,
    constants: { LANES: perTeam },
  };
}

/** For few rows. Software GPUs want many results an invocation and no barrier; real ones neighbouring lanes on neighbouring addresses. */
const rowSplits = {
  registers: {
    files: ['linear-row-input.wgsl', 'linear-registers.wgsl', 'linear-row.wgsl'],
    outputs: 8 * 8,
    rows: 1,
    constants: { WORKGROUP: 8 },
  },
  quads: {
    files: ['quads.wgsl', 'linear-row-input.wgsl', 'linear-quads.wgsl', 'linear-row.wgsl'],
    outputs: 8 * 8,
    rows: 1,
    constants: { WORKGROUP: 8 },
    needs: 'subgroups',
  },
  lanes: lanes(32),
  lanes16: lanes(16),
  lanes64: lanes(64),
} satisfies Record<string, Split>;

/** For many rows. */
const tileSplits = {
  registers: {
    files: ['linear-tile-input.wgsl', 'linear-registers.wgsl', 'linear-tile.wgsl'],
    outputs: 8 * 8,
    rows: 8,
  },
  quads: {
    files: ['quads.wgsl', 'linear-tile-input.wgsl', 'linear-quads.wgsl', 'linear-tile.wgsl'],
    outputs: 8 * 8,
    rows: 8,
    needs: 'subgroups',
  },
  shared: { files: ['linear-tile-input.wgsl', 'linear-tile-shared.wgsl'], outputs: 64, rows: 64 },
} satisfies Record<string, Split>;

/** How the kernels split their work, by name. Results are equal but for rounding. */
export interface Variants {
  row: keyof typeof rowSplits;
  tile: keyof typeof tileSplits;
}

/** In one dimension of a dispatch, on every device. */
const MOST_WORKGROUPS = 65535;

/** The variants that a device can run. */
export function variantsOn(features: GPUSupportedFeatures): { [kind in keyof Variants]: Variants[kind][] } {
  const names = <T extends string>(splits: Record<T, Split>) =>
    (Object.keys(splits) as T[]).filter((name) => {
      const { needs } = splits[name];
      return !needs || features.has(needs);
    });
  return { row: names<Variants['row']>(rowSplits), tile: names<Variants['tile']>(tileSplits) };
}

/** For few rows. One dispatch for each part of the weight. */
export function linearRow(batch: GPUBuffer, linear: Linear, variant: Variants['row']): Kernel[] {
  return linearKernels(batch, linear, rowSplits[variant]);
}

/** For many rows. */
export function linearTile(batch: GPUBuffer, linear: Linear, variant: Variants['tile']): Kernel[] {
  return linearKernels(batch, linear, tileSplits[variant]);
}

/** The same for all layers without a norm, so that they are compiled once. */
const noNorm = { NORM: 0, NORMED: 0, K: 0, CENTRED: 0, EPSILON: 0, NORM_AT: 0 };

const normOf = ({ x, norm, normed, count }: Linear) =>
  norm
    ? {
        ...{ NORM: 1, NORMED: normed ? 1 : 0, K: x.width, CENTRED: norm.centred ? 1 : 0, EPSILON: norm.epsilon },
        NORM_AT: (Math.ceil(count / 64) * 64) / 4,
      }
    : noNorm;

/** The operand's binding, 1, or the cache's, 2; 0 without an adapter. Its rank is no constant: adapters share their pipelines. */
const lowRankOf = ({ x, norm, lowRank, gate, residual, count }: Linear) => ({
  LOW_RANK: lowRank ? (gate || residual ? 2 : 1) : 0,
  LOW_RANK_AT: lowRank ? lowRankAt(count, norm ? x.stride : 0) / 4 : 0,
});

/** The same for all outputs, so that layers which leave the cache alone are compiled once. */
const noCache = { CACHE_HALF: 0, CACHE_WIDTH: 1, KEYS_AT: 0, MEMORY: 0 };

const cacheSizes = (cache: GpuKeySource, output: GpuTensor | undefined) => ({
  CACHE_HALF: cache.format === 'f16' ? 1 : 0,
  CACHE_WIDTH: cache.nHead * cache.headDim,
  KEYS_AT: output?.width ?? 0,
  ...keyConstants(cache),
});

function linearKernels(batch: GPUBuffer, linear: Linear, split: Split): Kernel[] {
  const { x, weight, first, gated, output, gate, residual, cache, select, unused, lowRank } = linear;
  const axis = output?.axis ?? 'rows';
  const [count, outputs] = [linear.count, split.outputs].map((n) => (gated ? n / 2 : n)) as [number, number];
  const most = Math.floor((MOST_WORKGROUPS * outputs) / 64) * 64;
  const runs = weight.parts.flatMap((part) => {
    const start = Math.max(first, part.first);
    const end = Math.min(first + count, part.first + part.rows);
    const dispatches = Math.max(0, ceilDiv(end - start, most));
    return Array.from({ length: dispatches }, (_, i) => ({
      part,
      from: start + i * most,
      n: Math.min(most, end - start - i * most),
    }));
  });
  return runs.map(({ part, from, n }) => ({
    files: [
      ...(split.needs === 'subgroups' ? ['subgroups.wgsl'] : []),
      'batch.wgsl',
      ...weightFiles(weight.format),
      'activate.wgsl',
      'cache-write.wgsl',
      'linear-store.wgsl',
      'linear-input.wgsl',
      ...split.files,
    ],
    constants: {
      ROW_UNITS: weight.stride / 16,
      WEIGHT_ROW: from - part.first,
      COLUMN: from - first,
      N: n,
      UP: gated ? count : 0,
      BIAS: linear.bias ? 1 : 0,
      ACTIVATION: linear.activation ? activationNumber[linear.activation] : 0,
      GATE: gate ? 1 : 0,
      RESIDUAL: residual ? 1 : 0,
      CACHE: cache ? 1 : 0,
      ...(cache ? cacheSizes(cache, output) : noCache),
      SELECT: select ? 1 : 0,
      LOGIT_ROWS: axis === 'logitRows' ? 1 : 0,
      OUT_STRIDE: output?.stride ?? 0,
      ...normOf(linear),
      ...lowRankOf(linear),
      ...split.constants,
    },
    bindings: {
      0: batch,
      1: part.values,
      2: part.scales,
      3: x.buffer,
      4: linear.vectors ?? x.buffer,
      5: (gate ?? residual ?? lowRank ?? x).buffer,
      6: output?.buffer ?? unused,
      7: (cache ?? linear.normed ?? (gate || residual ? lowRank : undefined))?.buffer ?? unused,
    },
    workgroups: (sizes) => [ceilDiv(n, outputs), ceilDiv(sizes[axis], split.rows)],
  }));
}
