import type { StepOf } from '../../plan/plan.ts';
import { ceilDiv, type Kernel } from '../kernel.ts';
import type { Place } from '../place.ts';

export function selectRows(step: StepOf<'selectRows'>, { batch, tensor }: Place): Kernel {
  const [input, output] = [tensor(step.input), tensor(step.output)];
  return {
    files: ['batch.wgsl', 'select-rows.wgsl'],
    constants: { STRIDE: output.stride },
    bindings: { 0: batch, 3: input.buffer, 4: output.buffer },
    workgroups: ({ logitRows }) => [ceilDiv(output.stride, 64), logitRows],
  };
}
