import { activate } from './activation';
import { Batch, keysAt, Part, placeOf, rowAt, rowOf, Step } from './step';
import { nextPiece } from './threads';

/** Input row `r` of a linear: the r-th row, or the r-th whose logits are wanted. */
export function inputRow(s: Step, batch: Batch, r: i32): usize {
  return rowAt(s.input, s.select ? rowOf(batch, r).logitRow : r, s.width);
}

/** The columns that a thread has taken: from the `within`-th of a part, which is the `column`-th of all. */
let part = changetype<Part>(0);
export let column: i32;
let within: i32;
export let columns: i32;

/** Takes up to `most` columns of one part, while there are any. */
export function takeColumns(s: Step, most: i32): bool {
  let piece = nextPiece();
  column = 0;
  for (let i = 0; i < s.partCount; i++) {
    part = partOf(s, i);
    const pieces = (part.width + most - 1) / most;
    if (piece < pieces) {
      within = piece * most;
      column += within;
      columns = min(most, part.width - within);
      return true;
    }
    piece -= pieces;
    column += part.width;
  }
  return false;
}

function partOf(s: Step, i: i32): Part {
  return changetype<Part>(s.parts + <usize>i * offsetof<Part>());
}

/** Columns of the widest part. */
export function widest(s: Step): i32 {
  let most = 0;
  for (let i = 0; i < s.partCount; i++) most = max(most, partOf(s, i).width);
  return most;
}

/** Takes `count` sums of row `r`, from the c-th of those taken, to where they belong, with bias, activation, gate and residual. */
export function finish(s: Step, batch: Batch, r: i32, c: i32, count: i32, values: v128): void {
  const i = within + c;
  if (s.bias) values = f32x4.add(values, v128.load(s.bias + ((<usize>(column + c)) << 2)));
  if (s.kind) values = activate(s.kind, values);
  if (part.kept) return append(s, placeOf(s, rowOf(batch, r)), part.at, i, count, values);
  const at = rowAt(0, r, part.width) + ((<usize>i) << 2);
  if (s.gate) values = f32x4.mul(values, v128.load(s.gate + at));
  if (s.second) values = f32x4.add(values, v128.load(s.second + at));
  storeLanes(part.at + at, values, count);
}

/** Columns i .. i + count of a row's keys or values, to its place. */
function append(s: Step, place: i32, to: usize, i: i32, count: i32, values: v128): void {
  for (let lane = 0; lane < count; ) {
    const head = (i + lane) / s.headDim;
    const within = i + lane - head * s.headDim;
    const together = min(count - lane, s.headDim - within);
    storeLanes(keysAt(to, s, head, place) + ((<usize>within) << 2), values, together);
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
