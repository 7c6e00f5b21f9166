import type { WeightFormat, WeightRows } from '../plan/backend.ts';
import { BLOCK, emptyRows, type PackedRows, packedBytes, packRows, rowLength, strideOf } from '../plan/formats.ts';
import type { WeightSpec } from '../plan/plan.ts';

/** A weight in memory: rows padded to `stride`, packed as formats.ts says. */
export interface CpuWeight {
  spec: WeightSpec;
  format: WeightFormat;
  stride: number;
  packed: PackedRows;
  bytes: number;
}

/** Takes a weight piece by piece. */
export async function readWeight(spec: WeightSpec, format: WeightFormat, pieces: AsyncIterable<WeightRows>) {
  const stride = strideOf(spec.columns);
  const packed = emptyRows(format, spec.rows * stride);
  const valuesPerWeight = packed.values.length / (spec.rows * stride);
  let row = 0;
  for await (const piece of pieces) {
    const part = packRows(format, piece, spec.columns);
    packed.values.set(part.values, row * stride * valuesPerWeight);
    if (part.scales) packed.scales!.set(part.scales, (row * stride) / BLOCK);
    row += piece.length / rowLength(format, piece, spec.columns);
  }
  return { spec, format, stride, packed, bytes: packedBytes(format, spec.rows, spec.columns) };
}
