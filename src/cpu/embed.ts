import { unpackRow } from '../plan/formats.ts';
import type { CpuWeight } from './weights.ts';

/** output [rows, nEmbd] = table[index[row]]: token embedding by id, position embedding by position. */
export function embed(table: CpuWeight, indices: readonly number[], output: Float32Array): void {
  const { columns } = table.spec;
  const row = new Float32Array(table.stride);
  indices.forEach((index, r) => {
    unpackRow(table.format, table.packed, index, row);
    output.set(row.subarray(0, columns), r * columns);
  });
}
