import { activate } from './activation';
import { Batch, cacheAt, Row, rowAt, rowOf, Step } from './step';

/** Input row `r` of a linear: the r-th row, or the r-th whose logits are wanted. */
export function inputRow(s: Step, batch: Batch, r: i32): usize {
  return rowAt(s.input, s.select ? rowOf(batch, r).logitRow : r, s.width);
}

/** Takes up to four neighbouring sums of row `r` to where they belong, with bias, activation and residual. */
export function finish(s: Step, batch: Batch, r: i32, column: i32, count: i32, values: v128): void {
  if (s.bias) values = f32x4.add(values, v128.load(s.bias + ((<usize>column) << 2)));
  if (s.activation) values = activate(s.activation, values);
  const output = column / s.outputWidth;
  const i = column - output * s.outputWidth;
  if (s.keys && output > 0) return append(s, rowOf(batch, r), output == 1 ? s.keys : s.values, i, count, values);
  const at = rowAt(0, r, s.outputWidth) + ((<usize>i) << 2);
  if (s.second) values = f32x4.add(values, v128.load(s.second + at));
  storeLanes((output == 0 ? s.output : output == 1 ? s.output1 : s.output2) + at, values, count);
}

/** Columns i .. i + count of a row's keys or values, to the cache. */
function append(s: Step, row: Row, cache: usize, i: i32, count: i32, values: v128): void {
  for (let lane = 0; lane < count; ) {
    const head = (i + lane) / s.headDim;
    const within = i + lane - head * s.headDim;
    const together = min(count - lane, s.headDim - within);
    storeLanes(cacheAt(cache, s, row.slot, head, row.position) + ((<usize>within) << 2), values, together);
    // The next head's values become the first lanes.
    for (let shift = 0; shift < together; shift++) values = v128.shuffle<f32>(values, values, 1, 2, 3, 0);
    lane += together;
  }
}

export function storeLanes(at: usize, values: v128, count: i32): void {
  if (count == 4) return v128.store(at, values);
  store<f32>(at, f32x4.extract_lane(values, 0));
  if (count > 1) store<f32>(at, f32x4.extract_lane(values, 1), 4);
  if (count > 2) store<f32>(at, f32x4.extract_lane(values, 2), 8);
}
