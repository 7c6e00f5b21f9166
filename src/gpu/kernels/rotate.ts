import source from '../../../shaders/rotate.wgsl?raw';
import { VitrineError } from '../../plan/error.ts';
import { ceilDiv, type GpuTensor, type Kernel } from '../kernel.ts';
import type { GpuWeight } from '../weights.ts';
import { batchFile } from './files.ts';

export function rotate(
  batch: GPUBuffer,
  input: GpuTensor,
  table: GpuWeight,
  headDim: number,
  output: GpuTensor,
): Kernel {
  const [part, more] = table.parts;
  if (!part || more) {
    throw new VitrineError(
      'out-of-memory',
      `The angles of ${table.spec.rows} positions do not fit one of the device's buffers.`,
      {
        hint: 'A shorter contextLength needs less.',
      },
    );
  }
  return {
    files: [batchFile, { name: 'rotate.wgsl', source }],
    constants: {
      WIDTH: input.width,
      HEAD_DIM: headDim,
      STRIDE: input.stride,
      PAIRS: table.spec.columns / 2,
      TABLE_STRIDE: table.stride,
    },
    bindings: { 0: batch, 3: input.buffer, 4: part.values, 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(input.width, 64), rows],
  };
}
