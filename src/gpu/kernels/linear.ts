import { strideOf } from '../../plan/formats.ts';
import type { Norm, StepOf } from '../../plan/plan.ts';
import { ceilDiv, flag, type Kernel, keyConstants, optional, weightFiles } from '../kernel.ts';
import type { GpuKeySource, GpuTensor, Place } from '../place.ts';
import type { StepList } from '../step-lists.ts';
import { lowRankAt } from '../weights.ts';
import { activationNumber } from './activation.ts';

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
  const files = ['linear-row-input.wgsl', 'linear-row-lanes.wgsl'];
  return { files, outputs: 2 * (64 / perTeam), rows: 1, constants: { LANES: perTeam } };
}

/** For few rows. Software GPUs want many results an invocation and no barrier; real ones neighbouring lanes on neighbouring addresses. */
const rowSplits = {
  registers: {
    files: ['linear-row-input.wgsl', 'linear-registers.wgsl', 'linear-row.wgsl'],
    ...{ outputs: 8 * 8, rows: 1, constants: { WORKGROUP: 8 } },
  },
  quads: {
    files: ['quads.wgsl', 'linear-row-input.wgsl', 'linear-quads.wgsl', 'linear-row.wgsl'],
    ...{ outputs: 8 * 8, rows: 1, constants: { WORKGROUP: 8 } },
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
    ...{ outputs: 8 * 8, rows: 8 },
  },
  quads: {
    files: ['quads.wgsl', 'linear-tile-input.wgsl', 'linear-quads.wgsl', 'linear-tile.wgsl'],
    ...{ outputs: 8 * 8, rows: 8 },
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
    (Object.keys(splits) as T[]).filter((name) => !splits[name].needs || features.has(splits[name].needs));
  return { row: names<Variants['row']>(rowSplits), tile: names<Variants['tile']>(tileSplits) };
}

/** Columns that one product makes, by rows [first, first + count) of the weight: an output's, the cache's behind them, or both. */
interface Piece {
  output: GpuTensor | undefined;
  cache: GpuKeySource | undefined;
  first: number;
  count: number;
}

/** What a layer is compiled for. */
type On = Place & Pick<StepList, 'shape' | 'joined'> & { variants: Variants };

/** With several outputs (unfused q, k, v) each is a product with its own rows of the weight; the last one's takes the cache's too. */
export function linear(step: StepOf<'linear'>, to: On): Kernel[] {
  const joined = to.joined.get(step.outputs[0] ?? '');
  const outputs = joined ? [{ ...to.tensor(joined.first), width: joined.width }] : step.outputs.map(to.tensor);
  const source = optional(step.cache, to.source);
  const pieces = outputs.map((output) => ({ output, cache: undefined as typeof source }));
  const last = pieces.at(-1);
  // Results come by fours, and halves of the cache in twos.
  if (source && last && last.output.width % 4 === 0) last.cache = source;
  const all = source && !last?.cache ? [...pieces, { output: undefined, cache: source }] : pieces;
  let first = 0;
  return all.flatMap((piece) => {
    const { output, cache } = piece;
    const count = (step.gated ? 2 : 1) * (output?.width ?? 0) + (cache ? 2 * cache.nHead * cache.headDim : 0);
    const kernels = product(step, { ...piece, first, count }, to);
    first += count;
    return kernels;
  });
}

/** One dispatch for each part of the weight. */
function product(step: StepOf<'linear'>, piece: Piece, to: On): Kernel[] {
  const { first, count: rows, output, cache } = piece;
  const { gated = false, norm } = step;
  const split: Split = to.shape === 'row' ? rowSplits[to.variants.row] : tileSplits[to.variants.tile];
  const weight = to.weights.matrix(step.weight);
  const x = to.tensor(step.input);
  const { bias, lowRank: adapter } = step;
  const vectors = to.weights.vectors({ weight: step.weight, bias, norm, lowRank: adapter, first, count: rows });
  // At most one of a gate and a residual; what an adapter adds has its place where there is neither, else that of the cache.
  const operand = optional(step.gate ?? step.residual, to.tensor);
  const lowRank = optional(adapter?.input, to.tensor);
  const normed = optional(step.normed, to.tensor);
  const axis = output?.axis ?? 'rows';
  const [count, outputs] = [rows, split.outputs].map((n) => (gated ? n / 2 : n)) as [number, number];
  const most = Math.floor((MOST_WORKGROUPS * outputs) / 64) * 64;
  const runs = weight.parts.flatMap((part) => {
    const start = Math.max(first, part.first);
    const end = Math.min(first + count, part.first + part.rows);
    const dispatches = Math.max(0, ceilDiv(end - start, most));
    return Array.from({ length: dispatches }, (_, i) => ({
      ...{ part, from: start + i * most, n: Math.min(most, end - start - i * most) },
    }));
  });
  return runs.map(({ part, from, n }) => ({
    files: [
      ...(split.needs === 'subgroups' ? ['subgroups.wgsl'] : []),
      ...['batch.wgsl', ...weightFiles(weight.format), 'activate.wgsl', 'cache-write.wgsl'],
      ...['linear-store.wgsl', 'linear-input.wgsl', ...split.files],
    ],
    constants: {
      ...{ ROW_UNITS: weight.stride / 16, WEIGHT_ROW: from - part.first, COLUMN: from - first, N: n },
      ...{ UP: gated ? count : 0, BIAS: flag(bias !== undefined) },
      ACTIVATION: step.activation ? activationNumber[step.activation] : 0,
      ...{ GATE: flag(step.gate !== undefined), RESIDUAL: flag(step.residual !== undefined) },
      ...{ SELECT: flag(step.select), LOGIT_ROWS: flag(axis === 'logitRows'), OUT_STRIDE: output?.stride ?? 0 },
      ...cacheConstants(cache, output),
      ...normConstants(norm, x.width, normed, rows),
      // Its rank is no constant: adapters share their pipelines.
      LOW_RANK: lowRank ? (operand ? 2 : 1) : 0,
      LOW_RANK_AT: lowRank ? lowRankAt(rows, norm ? x.stride : 0) / 4 : 0,
      ...split.constants,
    },
    bindings: {
      ...{ 0: to.batch, 1: part.values, 2: part.scales, 3: x.buffer, 4: vectors ?? x.buffer },
      5: (operand ?? lowRank ?? x).buffer,
      6: output?.buffer ?? to.unused,
      7: (cache ?? normed ?? (operand ? lowRank : undefined))?.buffer ?? to.unused,
    },
    workgroups: (sizes) => [ceilDiv(n, outputs), ceilDiv(sizes[axis], split.rows)],
  }));
}

/** The same for all layers without a norm, so that they are compiled once; and for all outputs that leave the cache alone. */
const noNorm = { NORM: 0, NORMED: 0, K: 0, CENTRED: 0, EPSILON: 0, NORM_AT: 0 };
const noCache = { CACHE: 0, CACHE_HALF: 0, CACHE_WIDTH: 1, KEYS_AT: 0, MEMORY: 0 };

const normConstants = (norm: Norm | undefined, width: number, normed: GpuTensor | undefined, count: number) =>
  norm
    ? {
        ...{ NORM: 1, NORMED: flag(normed), K: width, CENTRED: flag(norm.centred), EPSILON: norm.epsilon },
        NORM_AT: strideOf(count) / 4,
      }
    : noNorm;

const cacheConstants = (cache: GpuKeySource | undefined, output: GpuTensor | undefined) =>
  cache
    ? {
        ...{ CACHE: 1, CACHE_HALF: flag(cache.format === 'f16'), CACHE_WIDTH: cache.nHead * cache.headDim },
        ...{ KEYS_AT: output?.width ?? 0, ...keyConstants(cache) },
      }
    : noCache;
