import { VitrineError } from '../../plan/error.ts';
import { strideOf } from '../../plan/formats.ts';
import { ceilDiv, type GpuKeySource, type GpuTensor, type Kernel, keyConstants } from '../kernel.ts';
import type { GpuWeight } from '../weights.ts';

export function rotate(
  batch: GPUBuffer,
  input: GpuTensor,
  table: GpuWeight,
  headDim: number,
  output: GpuTensor,
  turn: 1 | -1 = 1,
): Kernel {
  return {
    files: ['batch.wgsl', 'rotate.wgsl'],
    constants: { WIDTH: input.width, HEAD_DIM: headDim, STRIDE: input.stride, TURN: turn, ...turns(table) },
    bindings: { 0: batch, 3: input.buffer, 4: valuesOf(table), 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(input.width, 64), rows],
  };
}

/** What a rotation and append works on. */
export interface RotateAppend {
  q: GpuTensor;
  k: GpuTensor;
  v: GpuTensor;
  table: GpuWeight;
  cache: GpuKeySource;
  /** The norms' epsilons, and a buffer of their weights, the queries', then the keys', each padded to a multiple of 64. */
  norms: { q: number; k: number; weights: GPUBuffer } | undefined;
  output: GpuTensor;
}

export function rotateAppend(batch: GPUBuffer, { q, k, v, table, cache, norms, output }: RotateAppend): Kernel {
  const { headDim, nHead } = cache;
  // Who norms a head makes more of it than two values, since it sums all of it.
  const each = norms ? 8 : 2;
  const heads = q.width / headDim;
  return {
    files: ['batch.wgsl', 'cache-write.wgsl', 'rotate-append.wgsl'],
    constants: {
      ...{ HEADS: heads, KEY_HEADS: nHead, HEAD_DIM: headDim, EACH: each, ...turns(table) },
      ...{ Q_AT: q.offset, K_AT: k.offset, V_AT: v.offset },
      ...{ Q_STRIDE: q.stride, K_STRIDE: k.stride, V_STRIDE: v.stride, OUT_STRIDE: output.stride },
      ...{ NORM: norms ? 1 : 0, Q_EPSILON: norms?.q ?? 0, K_EPSILON: norms?.k ?? 0, K_WEIGHT_AT: strideOf(headDim) },
      ...{ CACHE_HALF: cache.format === 'f16' ? 1 : 0, ...keyConstants(cache) },
    },
    bindings: {
      0: batch,
      1: norms?.weights ?? q.buffer,
      2: valuesOf(table),
      3: q.buffer,
      4: k.buffer,
      5: v.buffer,
      6: output.buffer,
      7: cache.buffer,
    },
    workgroups: ({ rows }) => [ceilDiv((heads + 2 * nHead) * ceilDiv(headDim, each), 64), rows],
  };
}

const turns = (table: GpuWeight) => ({ PAIRS: table.spec.columns / 2, TABLE_STRIDE: table.stride });

function valuesOf(table: GpuWeight): GPUBuffer {
  const [part, more] = table.parts;
  if (part && !more) return part.values;
  throw new VitrineError(
    'out-of-memory',
    `The angles of ${table.spec.rows} positions do not fit one of the device's buffers.`,
    { hint: 'A shorter contextLength needs less.' },
  );
}
