import { KV_BLOCK } from '../../plan/kv.ts';
import { ceilDiv, type GpuKeySource, type GpuTensor, type Kernel, keyConstants } from '../kernel.ts';

export function cacheAppend(batch: GPUBuffer, k: GpuTensor, v: GpuTensor, cache: GpuKeySource): Kernel {
  const width = cache.nHead * cache.headDim;
  const bindings = { 0: batch, 3: k.buffer, 4: v.buffer, 7: cache.buffer };
  if (cache.format === 'q8') {
    const blocks = cache.nHead * ceilDiv(cache.headDim, KV_BLOCK);
    return {
      files: ['batch.wgsl', 'cache-append-q8.wgsl'],
      constants: { N: width, HEAD_DIM: cache.headDim, STRIDE: k.stride, ...keyConstants(cache) },
      bindings,
      workgroups: ({ rows }) => [ceilDiv(blocks, 64), rows],
    };
  }
  return {
    files: ['batch.wgsl', 'cache-write.wgsl', 'cache-append.wgsl'],
    constants: { N: width, STRIDE: k.stride, CACHE_HALF: cache.format === 'f16' ? 1 : 0, ...keyConstants(cache) },
    bindings,
    workgroups: ({ rows }) => [ceilDiv(width, 2 * 64), rows],
  };
}
