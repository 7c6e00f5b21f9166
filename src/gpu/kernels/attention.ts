import { ceilDiv, type GpuKeySource, type GpuTensor, type Kernel, keyConstants, type RunSizes } from '../kernel.ts';
import type { GpuWeight } from '../weights.ts';

/** How whole attention splits its work. Software GPUs want no barrier in a loop; real ones keys and values in workgroup memory. */
interface Split {
  row: string;
  tile?: string;
  /** Rows that a workgroup takes. */
  tileRows: number;
}

const splits = {
  /** Row by row only: llvmpipe compiles a tile for most of a minute before its first dispatch. */
  rows: { row: 'attention-row.wgsl', tileRows: 1 },
  registers: {
    row: 'attention-row.wgsl',
    tile: 'attention-tile.wgsl',
    tileRows: 4 * 8,
  },
  shared: {
    row: 'attention-row-shared.wgsl',
    tile: 'attention-tile-shared.wgsl',
    tileRows: 64,
  },
} satisfies Record<string, Split>;

/** By name; results are equal but for rounding. */
export type AttentionVariant = keyof typeof splits;
export const attentionVariants = Object.keys(splits) as AttentionVariant[];

/** What the scores are made of, beside queries and keys. */
export interface Scoring {
  scale: number;
  /** [nHead, 2 d + 1], f32 */
  bias: GpuWeight | undefined;
  /** The most of the last keys that a row sees. */
  window?: number | undefined;
}

/**
 * Scores, mask, softmax and mix in one dispatch: row by row, or in tiles, where the run's rows allow it. A list for many
 * rows has both kernels, and a run leaves out one of them.
 */
export function attention(
  batch: GPUBuffer,
  q: GpuTensor,
  source: GpuKeySource,
  scoring: Scoring,
  output: GpuTensor,
  { shape, variant }: { shape: 'row' | 'tile'; variant: AttentionVariant },
): Kernel[] {
  const { row, tile, tileRows }: Split = splits[variant];
  const nHead = q.width / source.headDim;
  const slices = ceilDiv(source.headDim, 64);
  const inTiles = ({ tiles }: RunSizes) => tiles[source.axis === 'source' ? 'source' : 'context'];
  const shared = {
    constants: {
      ...sizesOf(source, nHead),
      ...scoringConstants(scoring),
      WINDOW: scoring.window ?? 0,
      Q_STRIDE: q.stride,
      OUT_STRIDE: output.stride,
    },
    bindings: { 0: batch, 3: q.buffer, 4: source.buffer, 5: output.buffer, 6: biasOf(scoring, q) },
  };
  const files = ['batch.wgsl', `cache/${source.format}.wgsl`, 'attention-keys.wgsl', 'attention-input.wgsl'];
  const byRow: Kernel = {
    ...shared,
    files: [...files, row],
    workgroups: (sizes) => [tile && shape === 'tile' && inTiles(sizes) ? 0 : nHead, sizes.rows, slices],
  };
  if (shape === 'row' || !tile) return [byRow];
  const byTile: Kernel = {
    ...shared,
    files: [...files, tile],
    workgroups: (sizes) => [inTiles(sizes) ? ceilDiv(sizes.rows, tileRows) : 0, nHead, slices],
  };
  return [byRow, byTile];
}

export function attentionScores(
  batch: GPUBuffer,
  q: GpuTensor,
  source: GpuKeySource,
  scoring: Scoring,
  output: GpuTensor,
): Kernel {
  const nHead = q.width / source.headDim;
  const keys = source.axis === 'source' ? 'source' : 'context';
  return {
    files: ['batch.wgsl', `cache/${source.format}.wgsl`, 'attention-keys.wgsl', 'attention-scores.wgsl'],
    constants: {
      ...sizesOf(source, nHead),
      ...scoringConstants(scoring),
      LAST_KEYS: scoring.window ?? 0,
      Q_STRIDE: q.stride,
    },
    bindings: { 0: batch, 3: q.buffer, 4: source.buffer, 5: output.buffer, 6: biasOf(scoring, q) },
    workgroups: (sizes) => [ceilDiv(sizes[keys], 64), sizes.rows, nHead],
  };
}

export function maskedSoftmax(
  batch: GPUBuffer,
  scores: GpuTensor,
  source: GpuKeySource,
  { heads, window }: { heads: number; window: number },
  pattern: GpuTensor,
): Kernel {
  return {
    files: ['batch.wgsl', 'masked-softmax.wgsl'],
    constants: { LAST_KEYS: window, ...keyConstants(source) },
    bindings: { 0: batch, 3: scores.buffer, 4: pattern.buffer },
    workgroups: ({ rows }) => [ceilDiv(rows, 64), heads],
  };
}

/** `scale`: given, it is keys instead of values that are mixed, times it. */
export function attentionMix(
  batch: GPUBuffer,
  pattern: GpuTensor,
  source: GpuKeySource,
  output: GpuTensor,
  scale?: number,
): Kernel {
  return {
    files: ['batch.wgsl', `cache/${source.format}.wgsl`, 'attention-keys.wgsl', 'attention-mix.wgsl'],
    constants: {
      ...sizesOf(source, output.width / source.headDim),
      WIDTH: output.width,
      OUT_STRIDE: output.stride,
      ...(scale !== undefined && { OF_KEYS: 1, SCALE: scale }),
    },
    bindings: { 0: batch, 3: pattern.buffer, 4: source.buffer, 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(output.width, 64), rows],
  };
}

/** Constants of attention-keys.wgsl for so many heads of queries. */
export const sizesOf = (source: GpuKeySource, nHead: number) => ({
  N: source.nHead * source.headDim,
  HEAD_DIM: source.headDim,
  GROUP: nHead / source.nHead,
  ...keyConstants(source),
});

const scoringConstants = ({ scale, bias }: Scoring) => ({
  SCALE: scale,
  DISTANCES: bias?.spec.columns ?? 0,
  BIAS_STRIDE: bias?.stride ?? 0,
});

/** Bound where there is no bias: anything that is only read. */
const biasOf = ({ bias }: Scoring, q: GpuTensor) => bias?.parts[0]?.values ?? q.buffer;
