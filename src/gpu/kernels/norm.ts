import { ceilDiv, type GpuTensor, type Kernel, rowConstants } from '../kernel.ts';

export function normScale(
  batch: GPUBuffer,
  input: GpuTensor,
  { epsilon, centred }: { epsilon: number; centred: boolean },
  output: GpuTensor,
): Kernel {
  return {
    files: ['batch.wgsl', 'norm-scale.wgsl'],
    constants: {
      N: input.width / output.width,
      STRIDE: input.stride,
      OUT_STRIDE: output.stride,
      EPSILON: epsilon,
      CENTRED: centred ? 1 : 0,
      ...rowConstants(output),
    },
    bindings: { 0: batch, 3: input.buffer, 4: output.buffer },
    workgroups: (sizes) => [ceilDiv(sizes[output.axis], 64), output.width],
  };
}

/** `scale` absent: computed on the way. */
export function norm(
  input: GpuTensor,
  scale: GpuTensor | undefined,
  how: { weight: GPUBuffer; bias: GPUBuffer | undefined; epsilon: number; centred: boolean; heads: number },
  output: GpuTensor,
): Kernel {
  return {
    // batch.wgsl is left out: the kernel has one workgroup for each row and reads no more of the batch.
    files: ['lanes.wgsl', 'norm.wgsl'],
    constants: {
      N: input.width / how.heads,
      STRIDE: input.stride,
      SCALE_STRIDE: scale?.stride ?? 0,
      EPSILON: how.epsilon,
      SCALE_GIVEN: scale ? 1 : 0,
      CENTRED: how.centred ? 1 : 0,
      BIAS: how.bias ? 1 : 0,
    },
    bindings: {
      3: input.buffer,
      4: scale?.buffer ?? how.weight,
      5: how.weight,
      6: how.bias ?? how.weight,
      7: output.buffer,
    },
    workgroups: (sizes) => [sizes[output.axis], how.heads],
  };
}
