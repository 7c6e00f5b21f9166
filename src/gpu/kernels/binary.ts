import source from '../../../shaders/binary.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel, rowConstants } from '../kernel.ts';
import { batchFile } from './files.ts';

export function binary(
  batch: GPUBuffer,
  kind: 'add' | 'multiply',
  a: GpuTensor,
  b: GpuTensor,
  output: GpuTensor,
): Kernel {
  return {
    files: [batchFile, { name: 'binary.wgsl', source }],
    constants: { STRIDE: output.stride, MULTIPLY: kind === 'multiply' ? 1 : 0, ...rowConstants(output) },
    bindings: { 0: batch, 3: a.buffer, 4: b.buffer, 5: output.buffer },
    workgroups: (sizes) => [ceilDiv(output.stride, 64), sizes[output.axis]],
  };
}
