import { ceilDiv, type GpuTensor, type Kernel, rowConstants } from '../kernel.ts';

export function binary(
  batch: GPUBuffer,
  kind: 'add' | 'multiply',
  a: GpuTensor,
  b: GpuTensor,
  output: GpuTensor,
): Kernel {
  return {
    files: ['batch.wgsl', 'binary.wgsl'],
    constants: { STRIDE: output.stride, MULTIPLY: kind === 'multiply' ? 1 : 0, ...rowConstants(output) },
    bindings: { 0: batch, 3: a.buffer, 4: b.buffer, 5: output.buffer },
    workgroups: (sizes) => [ceilDiv(output.stride, 64), sizes[output.axis]],
  };
}
