import source from '../../../shaders/cache-append.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel, type Scene } from '../kernel.ts';
import { batchFile, cacheWriteFile } from './files.ts';

export function cacheAppend(scene: Scene, k: GpuTensor, v: GpuTensor, cache: GPUBuffer): Kernel {
  const width = scene.nHead * scene.headDim;
  return {
    files: [batchFile, cacheWriteFile, { name: 'cache-append.wgsl', source }],
    constants: {
      N: width,
      STRIDE: k.stride,
      CONTEXT: scene.context,
      SLOTS: scene.slots,
      CACHE_HALF: scene.kv === 'f16' ? 1 : 0,
    },
    bindings: { 0: scene.batch, 3: k.buffer, 4: v.buffer, 7: cache },
    workgroups: ({ rows }) => [ceilDiv(width, 2 * 64), rows],
  };
}
