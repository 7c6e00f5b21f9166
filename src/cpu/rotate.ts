import type { StepOf } from '../plan/plan.ts';
import { type Run, vector } from './run.ts';

/** output [rows, nHead, headDim] = input, the first pairs of each head turned by the angles of the row's position */
export const rotate = (step: StepOf<'rotate'>, run: Run): void => turn(step, 1, run);

/** @param way 1, or -1 to turn back */
export function turn(step: Omit<StepOf<'rotate'>, 'op'>, way: 1 | -1, run: Run): void {
  const { spec, stride } = run.weight(step.table);
  const table = vector(step.table, run);
  const pairs = spec.columns / 2;
  const [x, output] = [run.tensor(step.input), run.tensor(step.output)];
  const [, nHead, headDim] = run.plan.tensors.get(step.output)!.shape as [number, number, number];
  output.set(x);
  for (const [r, { position }] of run.batch.rows.entries()) {
    for (let head = r * nHead * headDim; head < (r + 1) * nHead * headDim; head += headDim) {
      for (let i = 0; i < pairs; i++) {
        const [cos, sin] = [table[position * stride + i]!, way * table[position * stride + pairs + i]!];
        const [a, b] = [x[head + i]!, x[head + pairs + i]!];
        output[head + i] = a * cos - b * sin;
        output[head + pairs + i] = b * cos + a * sin;
      }
    }
  }
}
