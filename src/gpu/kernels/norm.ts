import type { StepOf } from '../../plan/plan.ts';
import { ceilDiv, flag, type Kernel, optional, rowConstants } from '../kernel.ts';
import type { Place } from '../place.ts';

export function normScale(step: StepOf<'normScale'>, { batch, tensor }: Place): Kernel {
  const [input, output] = [tensor(step.input), tensor(step.output)];
  return {
    files: ['batch.wgsl', 'norm-scale.wgsl'],
    constants: {
      ...{ N: input.width / output.width, STRIDE: input.stride, OUT_STRIDE: output.stride },
      ...{ EPSILON: step.epsilon, CENTRED: flag(step.centred), ...rowConstants(output) },
    },
    bindings: { 0: batch, 3: input.buffer, 4: output.buffer },
    workgroups: (sizes) => [ceilDiv(sizes[output.axis], 64), output.width],
  };
}

/** Without a scale it is computed on the way. */
export function norm(step: StepOf<'norm'>, { plan, weights, tensor }: Place): Kernel {
  const [input, scale, output] = [tensor(step.input), optional(step.scale, tensor), tensor(step.output)];
  const [weight, bias] = [weights.vector(step.weight), optional(step.bias, (name) => weights.vector(name))];
  const { shape } = plan.tensors.get(step.input)!;
  const heads = shape.length === 3 ? (shape[1] as number) : 1;
  return {
    // batch.wgsl is left out: the kernel has one workgroup for each row and reads no more of the batch.
    files: ['lanes.wgsl', 'norm.wgsl'],
    constants: {
      ...{ N: input.width / heads, STRIDE: input.stride, SCALE_STRIDE: scale?.stride ?? 0, EPSILON: step.epsilon },
      ...{ SCALE_GIVEN: flag(scale), CENTRED: flag(step.centred), BIAS: flag(bias) },
    },
    bindings: { 3: input.buffer, 4: scale?.buffer ?? weight, 5: weight, 6: bias ?? weight, 7: output.buffer },
    workgroups: (sizes) => [sizes[output.axis], heads],
  };
}
