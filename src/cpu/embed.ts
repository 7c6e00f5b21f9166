import { unpackRow } from '../plan/formats.ts';
import type { StepOf } from '../plan/plan.ts';
import type { Run } from './run.ts';

/** output [rows, n] = the sum of a row of each table, by the rows' numbers */
export function embed(step: StepOf<'embed'>, run: Run): void {
  const output = run.tensor(step.output).fill(0);
  for (const { weight, by, first = 0, scale = 1 } of step.tables) {
    const { spec, format, packed, stride } = run.weight(weight);
    const row = new Float32Array(stride);
    for (const [r, one] of run.batch.rows.entries()) {
      unpackRow(format, packed, (one[by] ?? 0) + first, row);
      for (let i = 0; i < spec.columns; i++) output[r * spec.columns + i]! += row[i]! * scale;
    }
  }
}
