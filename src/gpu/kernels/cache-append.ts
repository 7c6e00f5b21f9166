import source from '../../../shaders/cache-append.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel, type Scene } from '../kernel.ts';
import { batchFile } from './files.ts';

export function cacheAppend(scene: Scene, k: GpuTensor, v: GpuTensor, cache: GPUBuffer): Kernel {
  const width = scene.nHead * scene.headDim;
  return {
    files: [batchFile, { name: 'cache-append.wgsl', source }],
    constants: { N: width, STRIDE: k.stride, CONTEXT: scene.context, SLOTS: scene.slots },
    bindings: { 0: scene.batch, 3: k.buffer, 4: v.buffer, 5: cache },
    workgroups: ({ rows }) => [ceilDiv(width, 64), rows],
  };
}
