import type { StepOf } from '../plan/plan.ts';
import { keysOf, type Run } from './run.ts';

/** output [..., keys] = softmax(x [..., keys]); -Infinity gives exactly 0. A row's largest score is always finite: its own. */
export function maskedSoftmax(step: StepOf<'maskedSoftmax'>, run: Run): void {
  const [x, output] = [run.tensor(step.input), run.tensor(step.output)];
  const keys = keysOf(step.source, run);
  for (let start = 0; start < x.length; start += keys) {
    let max = Number.NEGATIVE_INFINITY;
    for (let i = start; i < start + keys; i++) if (x[i]! > max) max = x[i]!;
    let sum = 0;
    for (let i = start; i < start + keys; i++) {
      output[i] = Math.exp(x[i]! - max);
      sum += output[i]!;
    }
    for (let i = start; i < start + keys; i++) output[i]! /= sum;
  }
}
