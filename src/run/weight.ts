import { badOption } from '../plan/error.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import { checkOptions, isSignal, listOf, quote } from './check.ts';
import type { Engine } from './engine.ts';

export interface WeightOptions {
  /** Rows of the matrix, [out, in]: outputs of a layer, words of an embedding table. All of them by default. */
  rows?: readonly number[];
  signal?: AbortSignal;
}

/** Rows read in one run. */
const rowsAtOnce = 1024;

/**
 * Values of a weight as the backend really holds them, after rounding to its dtype: a row of a matrix is what an embedding
 * table's lookup gives, so a plan of one `embed` step reads any weight on any backend.
 * @returns data [rows, columns]; a vector is one row
 * @throws VitrineError `bad-option` for a weight or row that is not there
 */
export async function weight(engine: Engine, name: string, options: WeightOptions = {}, plan: Plan = engine.plan) {
  checkOptions('weight', options, { rows: listOf('integers', Number.isInteger), signal: isSignal });
  const found = specOf(plan, name);
  if (!found) {
    throw badOption(`The model has no weight ${quote(name)}.`, 'model.weights() lists every name with its shape.');
  }
  const { spec, kept, first: firstRow, firstColumn } = found;
  const placeOf = placesOf(kept);
  const rows = options.rows ?? Array.from({ length: spec.rows }, (_, row) => row);
  const wrong = rows.find((row) => row < 0 || row >= spec.rows);
  if (wrong !== undefined) throw badOption(`${name} has ${spec.rows} rows, and no row ${wrong}.`);
  options.signal?.throwIfAborted();

  const data = new Float32Array(rows.length * spec.columns);
  const most = Math.max(1, Math.min(rows.length, rowsAtOnce));
  const size = { slots: 1, context: 1, rows: most, logitRows: 1 };
  let first = 0;
  engine.hold(plan);
  const reading = engine.attempt(options.signal, async (backend) => {
    await engine.bring(plan, backend);
    const program = await backend.program(lookupPlan(kept), size, new Set(['row']));
    try {
      for (let at = first; at < rows.length; at += most) {
        await engine.turn(options.signal);
        const some = rows.slice(at, at + most);
        const batch = some.map((row) => ({ token: placeOf(firstRow + row), position: 0, slot: 0 }));
        const { captured } = await program.run({ rows: batch, logitRows: [] });
        const values = captured.get('row')!;
        const end = firstColumn + values.length - kept.columns + spec.columns;
        data.set(values.subarray(firstColumn, end), at * spec.columns);
        first = Math.max(first, at + most); // what is read needs no second reading after a loss
      }
    } finally {
      program.dispose();
    }
  });
  await reading.finally(() => engine.release(plan));
  options.signal?.throwIfAborted();
  return { data, shape: [rows.length, spec.columns] };
}

/** Where a row of the file is among the rows as they are kept. */
function placesOf({ order, rows, kind }: WeightSpec): (row: number) => number {
  if (!order || kind === 'vector') return (row) => row;
  const places = new Map(Array.from({ length: rows }, (_, place) => [order(place), place]));
  return (row) => places.get(row)!;
}

/** A weight by name, the one that it is kept in (three layers may be one), and where in it. */
function specOf({ weights }: Plan, name: string) {
  for (const kept of weights) {
    if (!kept.parts && kept.name === name) return { spec: kept, kept, first: 0, firstColumn: 0 };
    let before = 0;
    for (const part of kept.parts ?? []) {
      const isVector = kept.kind === 'vector';
      const spec = { ...kept, name, ...(isVector ? { columns: part.length } : { rows: part.length }) };
      if (part.name === name) return { spec, kept, first: isVector ? 0 : before, firstColumn: isVector ? before : 0 };
      before += part.length;
    }
  }
  return undefined;
}

function lookupPlan(spec: WeightSpec): Plan {
  return {
    nCtx: 1,
    vocabSize: spec.rows,
    weights: [],
    tensors: new Map([['row', { name: 'row', shape: ['rows', spec.columns] }]]),
    aliases: new Map(),
    sources: new Map(),
    steps: [{ op: 'embed', tables: [{ weight: spec.name, by: 'token' }], output: 'row' }],
  };
}
