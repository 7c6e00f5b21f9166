import type { Kind } from '../model/family.ts';
import type { Batch, ProgramSize, Row } from '../plan/backend.ts';
import { joined } from '../plan/plan.ts';
import type { PlanInput } from '../run/insides.ts';
import { encodingOf } from '../run/memory.ts';
import type { Read } from './examples.ts';

/** Inputs as one run: their rows one behind the other, none of them padding. */
export interface Packed {
  size: ProgramSize;
  /** Of the decoder, or of a plan that has one part alone. */
  batch: Batch;
  /** The encoder's run, of an encoder-decoder. */
  encoding?: Batch;
  /** Where each input's rows begin, and its source's. */
  first: number[];
  sourceFirst: number[];
}

/** The most keys that a row of them sees. */
export const mostSeen = (inputs: readonly PlanInput[]): number =>
  inputs.reduce((most, { rows, source }) => Math.max(most, rows.length, source?.rows.length ?? 0), 1);

/**
 * Packs inputs with what their losses need.
 * @param kind of the model: in a text that is written a row sees what is before it, not all of it
 * @param lossScale what the gradient is multiplied by
 */
export function pack(reads: readonly Pick<Read, 'input' | 'lost'>[], kind: Kind, lossScale: number): Packed {
  const isCausal = kind === 'decoder' || kind === 'encoder-decoder';
  const inputs = reads.map(({ input }) => input);
  const rows: Row[] = [];
  const sources: Row[] = [];
  const [logitRows, first, sourceFirst]: [number[], number[], number[]] = [[], [], []];
  for (const [i, { rows: own, source }] of inputs.entries()) {
    first.push(rows.length);
    sourceFirst.push(sources.length);
    const start = rows.length;
    const memory = source && { first: sources.length, count: source.rows.length };
    for (const row of source ? encodingOf(source).rows : []) {
      const at = memory!.first + row.at!;
      sources.push({ ...row, at, first: memory!.first, memory: { first: at, count: memory!.count } });
    }
    logitRows.push(...reads[i]!.lost.rows.map((row) => start + row));
    for (const [at, { token, position, segment }] of own.entries()) {
      const seen = { at: start + at, first: start, sees: isCausal ? at + 1 : own.length };
      rows.push({ token, position, segment, slot: 0, ...seen, ...(memory && { memory }) });
    }
  }
  const numbers = inputs.flatMap(({ input }) => input ?? []);
  const batch = {
    ...{ rows, logitRows, lossScale, labels: joined(reads.map(({ lost }) => lost.labels)) },
    ...(numbers.length > 0 && { input: joined(numbers) }),
  };
  const sees = mostSeen(inputs);
  const size = { slots: 1, context: rows.length, rows: rows.length, logitRows: Math.max(1, logitRows.length), sees };
  if (sources.length === 0) return { size, batch, first, sourceFirst };
  const encoding = { encodes: true, rows: sources, logitRows: [] };
  return { size: { ...size, source: sources.length }, batch, encoding, first, sourceFirst };
}
