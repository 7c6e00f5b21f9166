import { KV_BLOCK } from '../../plan/kv.ts';
import type { StepOf } from '../../plan/plan.ts';
import { ceilDiv, flag, type Kernel, keyConstants } from '../kernel.ts';
import type { Place } from '../place.ts';

export function cacheAppend(step: StepOf<'cacheAppend'>, to: Place): Kernel {
  const [k, v, cache] = [to.tensor(step.k), to.tensor(step.v), to.source(step.source)];
  const { nHead, headDim, format } = cache;
  const constants = { N: nHead * headDim, STRIDE: k.stride, ...keyConstants(cache) };
  const bindings = { 0: to.batch, 3: k.buffer, 4: v.buffer, 7: cache.buffer };
  if (format === 'q8') {
    return {
      files: ['batch.wgsl', 'cache-append-q8.wgsl'],
      constants: { ...constants, HEAD_DIM: headDim },
      bindings,
      workgroups: ({ rows }) => [ceilDiv(nHead * ceilDiv(headDim, KV_BLOCK), 64), rows],
    };
  }
  return {
    files: ['batch.wgsl', 'cache-write.wgsl', 'cache-append.wgsl'],
    constants: { ...constants, CACHE_HALF: flag(format === 'f16') },
    bindings,
    workgroups: ({ rows }) => [ceilDiv(nHead * headDim, 2 * 64), rows],
  };
}
