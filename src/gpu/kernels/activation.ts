import type { Activation, StepOf } from '../../plan/plan.ts';
import { ceilDiv, type Kernel, rowConstants } from '../kernel.ts';
import type { Place } from '../place.ts';

/** Numbers of the activation functions in shaders/activate.wgsl. */
export const activationNumber: Record<Activation, number> = { gelu_new: 1, gelu: 2, relu: 3, silu: 4, tanh: 5 };

export function activation(step: StepOf<'activation'>, { batch, tensor }: Place): Kernel {
  const [input, output] = [tensor(step.input), tensor(step.output)];
  return {
    files: ['batch.wgsl', 'activate.wgsl', 'activation.wgsl'],
    constants: { ACTIVATION: activationNumber[step.kind], STRIDE: output.stride, ...rowConstants(output) },
    bindings: { 0: batch, 3: input.buffer, 4: output.buffer },
    workgroups: (sizes) => [ceilDiv(output.stride, 64), sizes[output.axis]],
  };
}
