import type { StepOf } from '../../plan/plan.ts';
import { ceilDiv, flag, type Kernel, rowConstants } from '../kernel.ts';
import type { Place } from '../place.ts';

export function binary({ kind, a, b, output: name }: StepOf<'binary'>, { batch, tensor }: Place): Kernel {
  const output = tensor(name);
  return {
    files: ['batch.wgsl', 'binary.wgsl'],
    constants: { STRIDE: output.stride, MULTIPLY: flag(kind === 'multiply'), ...rowConstants(output) },
    bindings: { 0: batch, 3: tensor(a).buffer, 4: tensor(b).buffer, 5: output.buffer },
    workgroups: (sizes) => [ceilDiv(output.stride, 64), sizes[output.axis]],
  };
}
