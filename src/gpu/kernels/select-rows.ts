import source from '../../../shaders/select-rows.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel } from '../kernel.ts';
import { batchFile } from './files.ts';

export function selectRows(batch: GPUBuffer, input: GpuTensor, output: GpuTensor): Kernel {
  return {
    files: [batchFile, { name: 'select-rows.wgsl', source }],
    constants: { STRIDE: output.stride },
    bindings: { 0: batch, 3: input.buffer, 4: output.buffer },
    workgroups: ({ logitRows }) => [ceilDiv(output.stride, 64), logitRows],
  };
}
