import source from '../../../shaders/add.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel, type Scene } from '../kernel.ts';
import { batchFile } from './files.ts';

export function add(scene: Scene, a: GpuTensor, b: GpuTensor, output: GpuTensor): Kernel {
  return {
    files: [batchFile, { name: 'add.wgsl', source }],
    constants: { STRIDE: output.stride },
    bindings: { 0: scene.batch, 3: a.buffer, 4: b.buffer, 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(output.stride, 64), rows],
  };
}
