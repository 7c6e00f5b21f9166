import source from '../../../shaders/layer-norm.wgsl?raw';
import scaleSource from '../../../shaders/layer-norm-scale.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel, type Scene } from '../kernel.ts';
import { batchFile } from './files.ts';

export function layerNormScale(scene: Scene, input: GpuTensor, epsilon: number, output: GpuTensor): Kernel {
  return {
    files: [batchFile, { name: 'layer-norm-scale.wgsl', source: scaleSource }],
    constants: { N: input.width, STRIDE: input.stride, OUT_STRIDE: output.stride, EPSILON: epsilon },
    bindings: { 0: scene.batch, 3: input.buffer, 4: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(rows, 64)],
  };
}

/** `scale` absent: computed on the way. */
export function layerNorm(
  scene: Scene,
  input: GpuTensor,
  scale: GpuTensor | undefined,
  { weight, bias, epsilon }: { weight: GPUBuffer; bias: GPUBuffer; epsilon: number },
  output: GpuTensor,
): Kernel {
  return {
    // batch.wgsl is left out: the kernel has one workgroup for each row and reads no more of the batch.
    files: [{ name: 'layer-norm.wgsl', source }],
    constants: {
      N: input.width,
      STRIDE: input.stride,
      SCALE_STRIDE: scale?.stride ?? 0,
      EPSILON: epsilon,
      SCALE_GIVEN: scale ? 1 : 0,
    },
    bindings: { 3: input.buffer, 4: scale?.buffer ?? scene.batch, 5: weight, 6: bias, 7: output.buffer },
    workgroups: ({ rows }) => [rows],
  };
}
