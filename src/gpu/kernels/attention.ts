import type { StepOf } from '../../plan/plan.ts';
import { ceilDiv, type Kernel, keyConstants, optional, type RunSizes } from '../kernel.ts';
import type { GpuKeySource, Place } from '../place.ts';

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
  registers: { row: 'attention-row.wgsl', tile: 'attention-tile.wgsl', tileRows: 4 * 8 },
  shared: { row: 'attention-row-shared.wgsl', tile: 'attention-tile-shared.wgsl', tileRows: 64 },
} satisfies Record<string, Split>;

/** By name; results are equal but for rounding. */
export type AttentionVariant = keyof typeof splits;
export const attentionVariants = Object.keys(splits) as AttentionVariant[];

/** In front of the kernels that read a source's keys: where these are, in their format. */
export const keyFiles = ({ format }: GpuKeySource) => ['batch.wgsl', `cache/${format}.wgsl`, 'attention-keys.wgsl'];

/** The axis of what a row sees of a source. */
export const axisOf = ({ axis }: GpuKeySource) => (axis === 'source' ? 'source' : 'context');

/** What kernels that make scores have in common. */
function scoring(step: StepOf<'attention' | 'attentionScores'>, to: Place) {
  const [q, source, output] = [to.tensor(step.q), to.source(step.source), to.tensor(step.output)];
  const bias = optional(step.bias, (name) => to.weights.matrix(name)); // [nHead, 2 d + 1], f32
  const nHead = q.width / source.headDim;
  const distances = { DISTANCES: bias?.spec.columns ?? 0, BIAS_STRIDE: bias?.stride ?? 0 };
  return {
    ...{ source, nHead, output },
    constants: { ...sizesOf(source, nHead), SCALE: step.scale, ...distances, Q_STRIDE: q.stride },
    // Where there is no bias, anything that is only read is bound.
    bindings: {
      ...{ 0: to.batch, 3: q.buffer, 4: source.buffer, 5: output.buffer },
      6: bias?.parts[0]?.values ?? q.buffer,
    },
  };
}

/**
 * Scores, mask, softmax and mix in one dispatch: row by row, or in tiles, where the run's rows allow it. A list for many
 * rows has both kernels, and a run leaves out one of them.
 */
export function attention(
  step: StepOf<'attention'>,
  to: Place & { shape: 'row' | 'tile'; attention: AttentionVariant },
): Kernel[] {
  const { row, tile, tileRows }: Split = splits[to.attention];
  const { source, nHead, output, constants, bindings } = scoring(step, to);
  const slices = ceilDiv(source.headDim, 64);
  const inTiles = ({ tiles }: RunSizes) => tiles[axisOf(source)];
  const shared = { constants: { ...constants, WINDOW: step.window ?? 0, OUT_STRIDE: output.stride }, bindings };
  const files = [...keyFiles(source), 'attention-input.wgsl'];
  const byRow: Kernel = {
    ...shared,
    files: [...files, row],
    workgroups: (sizes) => [tile && to.shape === 'tile' && inTiles(sizes) ? 0 : nHead, sizes.rows, slices],
  };
  if (to.shape === 'row' || !tile) return [byRow];
  const byTile: Kernel = {
    ...shared,
    files: [...files, tile],
    workgroups: (sizes) => [inTiles(sizes) ? ceilDiv(sizes.rows, tileRows) : 0, nHead, slices],
  };
  return [byRow, byTile];
}

export function attentionScores(step: StepOf<'attentionScores'>, to: Place): Kernel {
  const { source, nHead, constants, bindings } = scoring(step, to);
  return {
    files: [...keyFiles(source), 'attention-scores.wgsl'],
    constants: { ...constants, LAST_KEYS: step.window ?? 0 },
    bindings,
    workgroups: (sizes) => [ceilDiv(sizes[axisOf(source)], 64), sizes.rows, nHead],
  };
}

export function maskedSoftmax(step: StepOf<'maskedSoftmax'>, { batch, plan, tensor, ...to }: Place): Kernel {
  const heads = plan.tensors.get(step.output)!.shape[0] as number;
  return {
    files: ['batch.wgsl', 'masked-softmax.wgsl'],
    constants: { LAST_KEYS: step.window ?? 0, ...keyConstants(to.source(step.source)) },
    bindings: { 0: batch, 3: tensor(step.input).buffer, 4: tensor(step.output).buffer },
    workgroups: ({ rows }) => [ceilDiv(rows, 64), heads],
  };
}

/** `scale`: given, it is keys instead of values that are mixed, times it. */
export function attentionMix(step: Omit<StepOf<'attentionMix'>, 'op'>, to: Place, scale?: number): Kernel {
  const [pattern, source, output] = [to.tensor(step.pattern), to.source(step.source), to.tensor(step.output)];
  return {
    files: [...keyFiles(source), 'attention-mix.wgsl'],
    constants: {
      ...{ ...sizesOf(source, output.width / source.headDim), WIDTH: output.width, OUT_STRIDE: output.stride },
      ...(scale !== undefined && { OF_KEYS: 1, SCALE: scale }),
    },
    bindings: { 0: to.batch, 3: pattern.buffer, 4: source.buffer, 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(output.width, 64), rows],
  };
}

/** Constants of attention-keys.wgsl for so many heads of queries. */
export const sizesOf = (source: GpuKeySource, nHead: number) => ({
  ...{ N: source.nHead * source.headDim, HEAD_DIM: source.headDim, GROUP: nHead / source.nHead },
  ...keyConstants(source),
});
