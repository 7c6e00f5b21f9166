import { ceilDiv, type GpuTensor, type Kernel } from '../kernel.ts';

export function selectRows(batch: GPUBuffer, input: GpuTensor, output: GpuTensor): Kernel {
  return {
    files: ['batch.wgsl', 'select-rows.wgsl'],
    constants: { STRIDE: output.stride },
    bindings: { 0: batch, 3: input.buffer, 4: output.buffer },
    workgroups: ({ logitRows }) => [ceilDiv(output.stride, 64), logitRows],
  };
}
