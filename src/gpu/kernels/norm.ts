import type { Norm, StepOf } from '../../plan/plan.ts';
import { flag, type Kernel, optional } from '../kernel.ts';
import type { GpuTensor, Place } from '../place.ts';

export function normScale(step: StepOf<'normScale'>, { tensor }: Place): Kernel {
  const [input, output] = [tensor(step.input), tensor(step.output)];
  const bound = { input, output, weight: input.buffer, heads: output.width, scaleStride: output.stride };
  return normKernel(step, bound, { SCALE_ONLY: 1 });
}

/** Without a scale it is computed on the way. */
export function norm(step: StepOf<'norm'>, { plan, weights, tensor }: Place): Kernel {
  const [input, scale, output] = [tensor(step.input), optional(step.scale, tensor), tensor(step.output)];
  const [weight, bias] = [weights.vector(step.weight), optional(step.bias, (name) => weights.vector(name))];
  const { shape } = plan.tensors.get(step.input)!;
  const heads = shape.length === 3 ? (shape[1] as number) : 1;
  const bound = { input, output, weight, heads, scale: scale?.buffer, bias, scaleStride: scale?.stride ?? 0 };
  return normKernel(step, bound, { SCALE_ONLY: 0 });
}

interface Bound {
  input: GpuTensor;
  output: GpuTensor;
  weight: GPUBuffer;
  /** How many are normed apart in a row. */
  heads: number;
  scaleStride: number;
  scale?: GPUBuffer | undefined;
  bias?: GPUBuffer | undefined;
}

function normKernel(
  { epsilon, centred }: Pick<Norm, 'epsilon' | 'centred'>,
  { input, output, weight, heads, scaleStride, scale, bias }: Bound,
  only: { SCALE_ONLY: 0 | 1 },
): Kernel {
  return {
    // batch.wgsl is left out: the kernel has one workgroup for each row and reads no more of the batch.
    files: ['lanes.wgsl', 'norm.wgsl'],
    constants: {
      ...{ N: input.width / heads, STRIDE: input.stride, SCALE_STRIDE: scaleStride, EPSILON: epsilon },
      ...{ SCALE_GIVEN: flag(scale), CENTRED: flag(centred), BIAS: flag(bias), ...only },
    },
    bindings: { 3: input.buffer, 4: scale ?? weight, 5: weight, 6: bias ?? weight, 7: output.buffer },
    workgroups: (sizes) => [sizes[output.axis], heads],
  };
}
