import type { Batch, Row } from '../plan/backend.ts';

/** A text as the encoder of an encoder-decoder reads it: of its ids, those that it sees. */
export interface SourceText {
  /** All of its ids, those that a mask drops too. */
  length: number;
  /** The rows that are run, each with its place among all. */
  rows: { token: number; position: number }[];
}

export function isSameSource(a: SourceText | undefined, b: SourceText | undefined): boolean {
  if (a === b) return true;
  if (a?.rows.length !== b?.rows.length) return false;
  return a!.rows.every(({ token, position }, i) => token === b!.rows[i]!.token && position === b!.rows[i]!.position);
}

/** The run of the encoder that fills the memory with a source. */
export function encodingOf({ rows }: SourceText): Batch {
  const sees = rows.length;
  return {
    encodes: true,
    logitRows: [],
    rows: rows.map((row, at) => ({ ...row, slot: 0, at, first: 0, sees, memory: { first: at, count: sees } })),
  };
}

/** A row of a text that is written after a source: it sees all of that. */
export function decoderRow(token: number, position: number, slot: number, source: SourceText | undefined): Row {
  const row = { token, position, slot };
  return source ? { ...row, memory: { first: 0, count: source.rows.length } } : row;
}
