import type { WeightFormat, WeightRows } from '../plan/backend.ts';
import { badCheckpoint } from '../plan/error.ts';
import { BLOCK, isScaled, packedBytes, rowLength, scaleBytesOf, strideOf, valueBytesOf } from '../plan/formats.ts';
import { packerFor } from '../plan/packer.ts';
import type { WeightSpec } from '../plan/plan.ts';
import { layout } from './binary.ts';
import type { Machine } from './machine.ts';
import type { WasmMemory } from './memory.ts';

/**
 * A weight in memory, packed as formats.ts says: addresses of its values and, for q8 and q4, its scales. Matrices lie in panels of
 * eight rows, as kernels multiply them (kernels/step.ts).
 */
export interface WasmWeight {
  spec: WeightSpec;
  format: WeightFormat;
  values: number;
  scales: number;
  bytes: number;
}

/** Rows of a panel. */
const PANEL = 8;

/** Packs a weight into memory piece by piece. */
export async function readWeight(
  machine: Machine,
  spec: WeightSpec,
  format: WeightFormat,
  pieces: AsyncIterable<WeightRows>,
): Promise<WasmWeight> {
  const { memory } = machine;
  const total = packedBytes(format, spec.rows, spec.columns);
  const rows = spec.kind === 'matrix' ? Math.ceil(spec.rows / PANEL) * PANEL : spec.rows;
  const at = memory.allocate(packedBytes(format, rows, spec.columns), spec.name);
  let valuesEnd = at;
  let row = 0;
  try {
    // The scales lie behind all values.
    const scales = isScaled(format) ? at + valueBytesOf(format, rows * strideOf(spec.columns)) : 0;
    const weight: WasmWeight = { spec, format, values: at, scales, bytes: total };
    let scalesEnd = scales;
    for await (const piece of pieces) {
      const before = row;
      row += piece.length / rowLength(format, piece, spec.columns);
      if (row > spec.rows) break;
      if (piece instanceof Uint8Array && (format === 'q8' || format === 'q4')) {
        takeBlocks(machine, format, piece, [row - before, spec.columns], valuesEnd, scalesEnd);
        valuesEnd += valueBytesOf(format, (row - before) * strideOf(spec.columns));
        scalesEnd += scaleBytesOf(format, (row - before) * strideOf(spec.columns));
      } else {
        const packed = (await packerFor(format, piece))(format, piece, spec.columns);
        valuesEnd = copy(memory, packed.values, valuesEnd);
        if (packed.scales) scalesEnd = copy(memory, packed.scales, scalesEnd);
      }
      toPanels(machine, weight, before, row);
    }
    if (row !== spec.rows) throw badCheckpoint(`${spec.name} has ${row} rows, not ${spec.rows}.`);
    return weight;
  } catch (error) {
    memory.free(at);
    throw error;
  }
}

/** Rows as Q8_0 and Q4_0 have them. */
function takeBlocks(
  { memory, kernels }: Machine,
  format: 'q8' | 'q4',
  piece: Uint8Array,
  [rows, columns]: [number, number],
  values: number,
  scales: number,
): void {
  const from = memory.allocate(piece.length, 'A piece of a file');
  memory.bytes(from, piece.length).set(piece);
  const take = format === 'q8' ? kernels.blocksQ8 : kernels.blocksQ4;
  take(from, rows, columns / BLOCK, strideOf(columns) / BLOCK, values, scales);
  memory.free(from);
}

/** Makes panels of a matrix's rows that are whole now that those from .. end lie behind the others. */
function toPanels({ memory, kernels }: Machine, weight: WasmWeight, from: number, end: number): void {
  const { spec, format, values, scales } = weight;
  if (spec.kind !== 'matrix') return;
  const first = Math.floor(from / PANEL);
  const groups = Math.floor((end === spec.rows ? end + PANEL - 1 : end) / PANEL) - first;
  const stride = strideOf(spec.columns);
  const bytes = valueBytesOf(format, PANEL * stride);
  const free = memory.allocate(bytes, spec.name);
  kernels.panels(values + first * bytes, groups, stride, layout.Format[format], free);
  if (scales) kernels.scalePanels(scales + first * scaleBytesOf(format, PANEL * stride), groups, stride / BLOCK, free);
  memory.free(free);
}

/** Sets the values [rows, columns] of a weight in f32. */
export function setWeight(machine: Machine, weight: WasmWeight, given: Float32Array): void {
  const { spec, values: at } = weight;
  const stride = strideOf(spec.columns);
  const kept = machine.memory.floats(at, spec.rows * stride);
  for (let row = 0; row < spec.rows; row++) {
    kept.set(given.subarray(row * spec.columns, (row + 1) * spec.columns), row * stride);
    kept.fill(0, row * stride + spec.columns, (row + 1) * stride);
  }
  toPanels(machine, weight, 0, spec.rows);
}

function copy(memory: WasmMemory, from: ArrayBufferView, to: number): number {
  memory.bytes(to, from.byteLength).set(new Uint8Array(from.buffer, from.byteOffset, from.byteLength));
  return to + from.byteLength;
}
