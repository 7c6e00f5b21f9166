import inputSource from '../../../shaders/attention-input.wgsl?raw';
import mixSource from '../../../shaders/attention-mix.wgsl?raw';
import rowSource from '../../../shaders/attention-row.wgsl?raw';
import rowSharedSource from '../../../shaders/attention-row-shared.wgsl?raw';
import scoresSource from '../../../shaders/attention-scores.wgsl?raw';
import tileSource from '../../../shaders/attention-tile.wgsl?raw';
import tileSharedSource from '../../../shaders/attention-tile-shared.wgsl?raw';
import softmaxSource from '../../../shaders/masked-softmax.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel, type Scene } from '../kernel.ts';
import type { ShaderFile } from '../shader.ts';
import { batchFile, cacheFile } from './files.ts';

/** How whole attention splits its work. Software GPUs want no barrier in a loop; real ones keys and values in workgroup memory. */
interface Split {
  row: ShaderFile;
  tile?: ShaderFile;
  /** Rows that a workgroup takes. */
  tileRows: number;
}

const splits = {
  /** Row by row only: llvmpipe compiles a tile for most of a minute before its first dispatch. */
  rows: { row: { name: 'attention-row.wgsl', source: rowSource }, tileRows: 1 },
  registers: {
    row: { name: 'attention-row.wgsl', source: rowSource },
    tile: { name: 'attention-tile.wgsl', source: tileSource },
    tileRows: 4 * 8,
  },
  shared: {
    row: { name: 'attention-row-shared.wgsl', source: rowSharedSource },
    tile: { name: 'attention-tile-shared.wgsl', source: tileSharedSource },
    tileRows: 64,
  },
} satisfies Record<string, Split>;

/** By name; results are equal but for rounding. */
export type AttentionVariant = keyof typeof splits;
export const attentionVariants = Object.keys(splits) as AttentionVariant[];

/**
 * Scores, mask, softmax and mix in one dispatch: row by row, or in tiles, whose rows must be of one slot. A list for many
 * rows has both kernels, and a run leaves out one of them.
 */
export function attention(
  scene: Scene,
  q: GpuTensor,
  cache: GPUBuffer,
  scale: number,
  output: GpuTensor,
  { shape, variant }: { shape: 'row' | 'tile'; variant: AttentionVariant },
): Kernel[] {
  const { row, tile, tileRows }: Split = splits[variant];
  const { nHead, headDim } = scene;
  const slices = ceilDiv(headDim, 64);
  const inputFile = { name: 'attention-input.wgsl', source: inputSource };
  const shared = {
    constants: {
      ...headSizes(scene),
      Q_STRIDE: q.stride,
      OUT_STRIDE: output.stride,
      SLOTS: scene.slots,
      SCALE: scale,
    },
    bindings: { 0: scene.batch, 3: q.buffer, 4: cache, 5: output.buffer },
  };
  const byRow: Kernel = {
    ...shared,
    files: [batchFile, cacheFile[scene.kv], inputFile, row],
    workgroups: ({ rows, oneSlot }) => [tile && shape === 'tile' && oneSlot ? 0 : nHead, rows, slices],
  };
  if (shape === 'row' || !tile) return [byRow];
  const byTile: Kernel = {
    ...shared,
    files: [batchFile, cacheFile[scene.kv], inputFile, tile],
    workgroups: ({ rows, oneSlot }) => [oneSlot ? ceilDiv(rows, tileRows) : 0, nHead, slices],
  };
  return [byRow, byTile];
}

export function attentionScores(
  scene: Scene,
  q: GpuTensor,
  cache: GPUBuffer,
  scale: number,
  output: GpuTensor,
): Kernel {
  return {
    files: [batchFile, cacheFile[scene.kv], { name: 'attention-scores.wgsl', source: scoresSource }],
    constants: { ...headSizes(scene), Q_STRIDE: q.stride, ROWS: scene.rows, SCALE: scale },
    bindings: { 0: scene.batch, 3: q.buffer, 4: cache, 5: output.buffer },
    workgroups: ({ rows, keys }) => [ceilDiv(keys, 64), rows, scene.nHead],
  };
}

export function maskedSoftmax(scene: Scene, scores: GpuTensor, pattern: GpuTensor): Kernel {
  return {
    files: [batchFile, { name: 'masked-softmax.wgsl', source: softmaxSource }],
    constants: { CONTEXT: scene.context, ROWS: scene.rows },
    bindings: { 0: scene.batch, 3: scores.buffer, 4: pattern.buffer },
    workgroups: ({ rows }) => [ceilDiv(rows, 64), scene.nHead],
  };
}

export function attentionMix(scene: Scene, pattern: GpuTensor, cache: GPUBuffer, output: GpuTensor): Kernel {
  return {
    files: [batchFile, cacheFile[scene.kv], { name: 'attention-mix.wgsl', source: mixSource }],
    constants: { ...headSizes(scene), OUT_STRIDE: output.stride, SLOTS: scene.slots, ROWS: scene.rows },
    bindings: { 0: scene.batch, 3: pattern.buffer, 4: cache, 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(scene.nHead * scene.headDim, 64), rows],
  };
}

const headSizes = ({ nHead, headDim, context }: Scene) => ({
  N: nHead * headDim,
  HEAD_DIM: headDim,
  CONTEXT: context,
});
