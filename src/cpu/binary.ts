import type { StepOf } from '../plan/plan.ts';
import type { Run } from './run.ts';

/** output = a + b, or a * b */
export function binary(step: StepOf<'binary'>, { tensor }: Run): void {
  const [a, b, output] = [tensor(step.a), tensor(step.b), tensor(step.output)];
  for (let i = 0; i < output.length; i++) output[i] = step.kind === 'add' ? a[i]! + b[i]! : a[i]! * b[i]!;
}
