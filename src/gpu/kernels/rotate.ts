import { VitrineError } from '../../plan/error.ts';
import { strideOf } from '../../plan/formats.ts';
import type { StepOf } from '../../plan/plan.ts';
import { ceilDiv, flag, type Kernel, keyConstants } from '../kernel.ts';
import type { Place } from '../place.ts';
import type { GpuWeight } from '../weights.ts';

/** @param turn -1 turns back */
export function rotate(step: Omit<StepOf<'rotate'>, 'op'>, to: Place, turn: 1 | -1 = 1): Kernel {
  const [input, output, table] = [to.tensor(step.input), to.tensor(step.output), to.weights.matrix(step.table)];
  const [, , headDim] = to.plan.tensors.get(step.output)!.shape as [unknown, unknown, number];
  return {
    files: ['batch.wgsl', 'rotate.wgsl'],
    constants: { WIDTH: input.width, HEAD_DIM: headDim, STRIDE: input.stride, TURN: turn, ...turns(table) },
    bindings: { 0: to.batch, 3: input.buffer, 4: valuesOf(table), 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(input.width, 64), rows],
  };
}

export function rotateAppend(step: StepOf<'rotateAppend'>, { batch, weights, tensor, ...to }: Place): Kernel {
  const [q, k, v, output] = [tensor(step.q), tensor(step.k), tensor(step.v), tensor(step.output)];
  const [table, cache, norms] = [weights.matrix(step.table), to.source(step.source), step.norms];
  const { headDim, nHead } = cache;
  // The weights of the queries' norm, then of the keys', each padded to a multiple of 64.
  const both = norms && { weight: norms.q.weight, bias: norms.q.weight, norm: norms.k, lowRank: undefined };
  const normWeights = both && weights.vectors({ ...both, first: 0, count: headDim });
  // Who norms a head makes more of it than two values, since it sums all of it.
  const each = norms ? 8 : 2;
  const heads = q.width / headDim;
  return {
    files: ['batch.wgsl', 'cache-write.wgsl', 'rotate-append.wgsl'],
    constants: {
      ...{ HEADS: heads, KEY_HEADS: nHead, HEAD_DIM: headDim, EACH: each, ...turns(table) },
      ...{ Q_AT: q.offset, K_AT: k.offset, V_AT: v.offset },
      ...{ Q_STRIDE: q.stride, K_STRIDE: k.stride, V_STRIDE: v.stride, OUT_STRIDE: output.stride },
      ...{ NORM: flag(norms), Q_EPSILON: norms?.q.epsilon ?? 0, K_EPSILON: norms?.k.epsilon ?? 0 },
      ...{ K_WEIGHT_AT: strideOf(headDim), CACHE_HALF: flag(cache.format === 'f16'), ...keyConstants(cache) },
    },
    bindings: {
      ...{ 0: batch, 1: normWeights ?? q.buffer, 2: valuesOf(table), 3: q.buffer, 4: k.buffer, 5: v.buffer },
      ...{ 6: output.buffer, 7: cache.buffer },
    },
    workgroups: ({ rows }) => [ceilDiv((heads + 2 * nHead) * ceilDiv(headDim, each), 64), rows],
  };
}

const turns = (table: GpuWeight) => ({ PAIRS: table.spec.columns / 2, TABLE_STRIDE: table.stride });

function valuesOf(table: GpuWeight): GPUBuffer {
  const [part, more] = table.parts;
  if (part && !more) return part.values;
  const found = `The angles of ${table.spec.rows} positions do not fit one of the device's buffers.`;
  throw new VitrineError('out-of-memory', found, { hint: 'A shorter contextLength needs less.' });
}
