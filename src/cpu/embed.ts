import type { Row } from '../plan/backend.ts';
import { unpackRow } from '../plan/formats.ts';
import type { EmbedTable } from '../plan/plan.ts';
import type { CpuWeight } from './weights.ts';

/** output [rows, n] = the sum of a row of each table, by the rows' numbers */
export function embed(
  tables: readonly (Omit<EmbedTable, 'weight'> & { weight: CpuWeight })[],
  rows: readonly Row[],
  output: Float32Array,
): void {
  output.fill(0);
  for (const { weight, by, first = 0, scale = 1 } of tables) {
    const { columns } = weight.spec;
    const row = new Float32Array(weight.stride);
    rows.forEach((one, r) => {
      unpackRow(weight.format, weight.packed, (one[by] ?? 0) + first, row);
      for (let i = 0; i < columns; i++) output[r * columns + i]! += row[i]! * scale;
    });
  }
}
