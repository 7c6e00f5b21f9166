import type { StepOf } from '../plan/plan.ts';
import { addTimes, eachRow } from './each-row.ts';
import { type Run, widthIn } from './run.ts';

/** output [rows, nHead, headDim] = Σ over keys of pattern [nHead, rows, keys] · v */
export function attentionMix(step: StepOf<'attentionMix'>, run: Run): void {
  const { headDim, v } = run.cache(step.source);
  const [pattern, output] = [run.tensor(step.pattern), run.tensor(step.output)];
  const sums = new Float64Array(headDim);
  // An edit may have given weight to keys before the window.
  eachRow({ source: step.source }, widthIn(step.output, run) / headDim, run, ({ query, count, at, start, stride }) => {
    sums.fill(0);
    for (let key = 0; key < count; key++) addTimes(headDim, pattern[at + key]!, v, start + key * stride, sums, 0);
    output.set(sums, query * headDim);
  });
}
