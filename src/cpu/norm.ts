import type { StepOf } from '../plan/plan.ts';
import { type Run, unfused, vector, widthIn } from './run.ts';

/** Normalisation over the last axis: by mean and biased variance, or not `centred`, by the mean of squares alone. */

/** output [rows, 1] = sqrt(variance + epsilon) of each row of input [rows, n]; heads that are normed apart count as rows */
export function normScale({ input, output: name, epsilon, centred }: StepOf<'normScale'>, run: Run): void {
  const [x, output] = [run.tensor(input), run.tensor(name)];
  const n = widthIn(input, run) / widthIn(name, run);
  for (let r = 0; r < output.length; r++) {
    const mean = centred ? meanOf(x, r * n, n) : 0;
    let variance = 0;
    for (let i = r * n; i < (r + 1) * n; i++) variance += (x[i]! - mean) ** 2;
    output[r] = Math.sqrt(variance / n + epsilon);
  }
}

/** output [rows, n] = (input - mean) / scale * weight + bias, scale [rows, 1] */
export function norm(step: StepOf<'norm'>, run: Run): void {
  if (step.scale === undefined) return unfused(step);
  const [x, scale, output] = [run.tensor(step.input), run.tensor(step.scale), run.tensor(step.output)];
  const weight = vector(step.weight, run);
  const bias = step.bias === undefined ? undefined : vector(step.bias, run);
  const n = widthIn(step.input, run) / widthIn(step.scale, run);
  for (let r = 0; r < scale.length; r++) {
    const mean = step.centred ? meanOf(x, r * n, n) : 0;
    for (let i = 0; i < n; i++) {
      output[r * n + i] = ((x[r * n + i]! - mean) / scale[r]!) * weight[i]! + (bias ? bias[i]! : 0);
    }
  }
}

function meanOf(x: Float32Array, start: number, n: number): number {
  let sum = 0;
  for (let i = start; i < start + n; i++) sum += x[i]!;
  return sum / n;
}
