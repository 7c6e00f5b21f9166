import type { StepOf } from '../plan/plan.ts';
import { dot, eachRow } from './each-row.ts';
import { type Run, vector, widthIn } from './run.ts';

/** output [nHead, rows, keys] = q · k * scale + bias for the keys that each row sees, -Infinity beyond */
export function attentionScores(step: StepOf<'attentionScores'>, run: Run): void {
  const { headDim, k } = run.cache(step.source);
  const [q, output] = [run.tensor(step.q), run.tensor(step.output).fill(Number.NEGATIVE_INFINITY)];
  const biasAt = step.bias === undefined ? () => 0 : distanceBias(step.bias, run);
  eachRow(step, widthIn(step.q, run) / headDim, run, ({ head, query, count, at, start, stride, distance }) => {
    for (let key = 0; key < count; key++) {
      const product = dot(headDim, q, query * headDim, k, start + key * stride);
      output[at + key] = product * step.scale + biasAt(head, distance + key);
    }
  });
}

/** What is added to a score, by the distance of a key from the row's own place: weight [nHead, 2 d + 1]. */
function distanceBias(name: string, run: Run): (head: number, distance: number) => number {
  const { spec, stride } = run.weight(name);
  const values = vector(name, run);
  const most = (spec.columns - 1) / 2;
  return (head, distance) => values[head * stride + most + Math.max(-most, Math.min(most, distance))]!;
}
