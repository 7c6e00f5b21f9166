import source from '../../../shaders/cache-append.wgsl?raw';
import { ceilDiv, type GpuKeySource, type GpuTensor, type Kernel, keyConstants } from '../kernel.ts';
import { batchFile, cacheWriteFile } from './files.ts';

export function cacheAppend(batch: GPUBuffer, k: GpuTensor, v: GpuTensor, cache: GpuKeySource): Kernel {
  const width = cache.nHead * cache.headDim;
  return {
    files: [batchFile, cacheWriteFile, { name: 'cache-append.wgsl', source }],
    constants: { N: width, STRIDE: k.stride, CACHE_HALF: cache.format === 'f16' ? 1 : 0, ...keyConstants(cache) },
    bindings: { 0: batch, 3: k.buffer, 4: v.buffer, 7: cache.buffer },
    workgroups: ({ rows }) => [ceilDiv(width, 2 * 64), rows],
  };
}
