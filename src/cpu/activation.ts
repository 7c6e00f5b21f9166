import { activate } from '../plan/activate.ts';
import type { StepOf } from '../plan/plan.ts';
import type { Run } from './run.ts';

export function activation({ kind, input, output }: StepOf<'activation'>, { tensor }: Run): void {
  const [x, y, f] = [tensor(input), tensor(output), activate[kind]];
  for (let i = 0; i < y.length; i++) y[i] = f(x[i]!);
}
