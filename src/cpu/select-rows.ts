import type { StepOf } from '../plan/plan.ts';
import { type Run, widthIn } from './run.ts';

/** output [logitRows, n] = the rows of input [rows, n] whose logits are wanted */
export function selectRows(step: StepOf<'selectRows'>, run: Run): void {
  const [input, output, n] = [run.tensor(step.input), run.tensor(step.output), widthIn(step.input, run)];
  for (const [i, row] of run.batch.logitRows.entries()) output.set(input.subarray(row * n, (row + 1) * n), i * n);
}
