import type { Batch, ProgramSize, Row } from './backend.ts';
import type { AxisSizes, KeySource } from './plan.ts';

/** Numbers of a row in a device's memory (shaders/batch.wgsl, src/wasm/kernels/step.ts), behind the four that count the batch's. */
export const ROW_WORDS = 10;
export const BATCH_WORDS = 4;

/** How many of its own text's keys a row sees. */
export const seenBy = ({ position, at = position, first = 0, sees = at + 1 - first }: Row): number => sees;

/** A row's number in its text, from 0: what edits and distances go by. */
export const ordinalOf = ({ position, at = position, first = 0 }: Row): number => at - first;

/** The lengths of the axes in a run. */
export function sizesOf({ rows, logitRows }: Batch): AxisSizes {
  return {
    rows: rows.length,
    logitRows: logitRows.length,
    context: Math.max(...rows.map(seenBy)),
    source: Math.max(0, ...rows.map(({ memory }) => memory?.count ?? 0)),
  };
}

/** Places of a source in a program of this size. */
export const placesIn = ({ axis }: KeySource, { slots, context, rows, source = 0 }: ProgramSize): number =>
  ({ context: slots * context, source, rows: Math.max(rows, source) })[axis];

/** Where a row's own keys lie in a source, and those that it sees: places, the first slot's first is 0. */
export function placesOf(row: Row, { axis }: KeySource, context: number) {
  const { position, slot, at = position, first = 0, memory } = row;
  if (axis === 'source') return { place: memory?.first ?? 0, first: memory?.first ?? 0, count: memory?.count ?? 0 };
  return { place: slot * context + at, first: slot * context + first, count: seenBy(row) };
}

/**
 * A batch as it lies in a device's memory.
 * @param partOf the part of the cache that a slot has
 */
export function writeRows(batch: Batch, context: number, words: Uint32Array, partOf = (slot: number) => slot): void {
  const { rows, logitRows } = batch;
  const sizes = sizesOf(batch);
  words.set([rows.length, logitRows.length, sizes.context, sizes.source]);
  rows.forEach((row, i) => {
    const { token, position, at = position, first = 0, segment = 0, memory } = row;
    const start = partOf(row.slot) * context;
    const own = [token, position, segment, logitRows[i] ?? 0, start + at, start + first, seenBy(row)];
    words.set([...own, memory?.first ?? 0, memory?.count ?? 0, 0], BATCH_WORDS + i * ROW_WORDS);
  });
}
