import type { WeightFormat, WeightRows } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { packedBytes, rowLength } from '../plan/formats.ts';
import { packerFor } from '../plan/packer.ts';
import type { WeightSpec } from '../plan/plan.ts';
import type { WasmMemory } from './memory.ts';

/** A weight in memory, packed as formats.ts says: addresses of its values and, for q8 and q4, its scales. */
export interface WasmWeight {
  spec: WeightSpec;
  format: WeightFormat;
  values: number;
  scales: number;
  bytes: number;
}

/** Packs a weight into memory piece by piece. */
export async function readWeight(
  memory: WasmMemory,
  spec: WeightSpec,
  format: WeightFormat,
  pieces: AsyncIterable<WeightRows>,
): Promise<WasmWeight> {
  const total = packedBytes(format, spec.rows, spec.columns);
  const at = memory.allocate(total, spec.name);
  let valuesEnd = at;
  let row = 0;
  try {
    const pack = await packerFor(format);
    // The scales lie behind all values: q8 has 32 bytes of values to 2 of scales, q4 16.
    const perBlock = format === 'q8' ? 32 : 16;
    const scales = format === 'q8' || format === 'q4' ? at + (total / (perBlock + 2)) * perBlock : 0;
    let scalesEnd = scales;
    for await (const piece of pieces) {
      row += piece.length / rowLength(format, piece, spec.columns);
      if (row > spec.rows) break;
      const packed = pack(format, piece, spec.columns);
      valuesEnd = copy(memory, packed.values, valuesEnd);
      if (packed.scales) scalesEnd = copy(memory, packed.scales, scalesEnd);
    }
    if (row !== spec.rows) throw new VitrineError('bad-checkpoint', `${spec.name} has ${row} rows, not ${spec.rows}.`);
    return { spec, format, values: at, scales, bytes: total };
  } catch (error) {
    memory.free(at);
    throw error;
  }
}

function copy(memory: WasmMemory, from: ArrayBufferView, to: number): number {
  memory.bytes(to, from.byteLength).set(new Uint8Array(from.buffer, from.byteOffset, from.byteLength));
  return to + from.byteLength;
}
