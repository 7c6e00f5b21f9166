import type { Batch } from './backend.ts';
import { type AxisSizes, editAxesOf, type TensorEdit, type TensorSpec } from './plan.ts';
import { ordinalOf, seenBy } from './rows.ts';

/** Applies edits in place to x, in its spec's shape: [rows, n], [logitRows, n], [rows, nHead, n] or [nHead, rows, keys]. */
export function applyEdits(edits: TensorEdit[], spec: TensorSpec, batch: Batch, sizes: AxisSizes, x: Float32Array) {
  const { shape } = spec;
  const rows = shape[0] === 'logitRows' ? batch.logitRows.map((row) => batch.rows[row]!) : batch.rows;
  const { keys, nHead = 1, inner: width } = editAxesOf(spec);
  const inner = keys ? sizes[keys] : (width as number);
  for (const one of edits) {
    const heads = one.heads ?? Array.from({ length: nHead }, (_, head) => head);
    rows.forEach((row, r) => {
      const number = ordinalOf(row);
      const ordinal = one.positions ? one.positions.indexOf(number) : number;
      if (ordinal < 0) return;
      heads.forEach((head, h) => {
        const start = (keys ? head * rows.length + r : r * nHead + head) * inner;
        // Keys that a row does not see stay masked: nothing may depend on them.
        const seen = keys === 'source' ? (row.memory?.count ?? 0) : keys ? seenBy(row) : inner;
        editRun(one, one.shared ? h : ordinal * heads.length + h, heads.length, x.subarray(start, start + seen));
      });
    });
  }
}

/** Edits one head of one row with the values of `run` (the index of a head's values within all values). */
function editRun({ kind, values, positions, shared }: TensorEdit, run: number, heads: number, x: Float32Array): void {
  const runs = heads * (shared ? 1 : (positions?.length ?? 1));
  // An attention row may be longer than its values, in a text that has grown since; what lies beyond stays as it is.
  const width = typeof values === 'number' ? x.length : values.length / runs;
  for (let i = 0; i < Math.min(x.length, width); i++) {
    const value = typeof values === 'number' ? values : values[run * width + i]!;
    if (kind === 'set') x[i] = value;
    else if (kind === 'add') x[i]! += value;
    else x[i]! *= value;
  }
}
