import { activate } from './activation';
import { normalize } from './norm';
import { EIGHT, widen } from './panels';
import { Batch, Format, keysAt, panelOf, Part, placeOf, rowAt, rowOf, Step, strideOf, Table } from './step';
import { madd, sums } from './simd';
import { nextPiece } from './threads';

/** Input row `r` of a linear: the r-th row, or the r-th whose logits are wanted. */
export function inputRow(s: Step, batch: Batch, r: i32): usize {
  return rowAt(s.input, s.select ? rowOf(batch, r).logitRow : r, s.width);
}

/** The same ready to be multiplied: normed, at `normed`, where the linear does that itself. */
export function readyRow(s: Step, batch: Batch, r: i32, normed: usize): usize {
  const x = inputRow(s, batch, r);
  if (!s.normWeight) return x;
  const stride = strideOf(s.width);
  memory.fill(normed + ((<usize>s.width) << 2), 0, (stride - s.width) << 2);
  normalize(s, x, 0, normed);
  return normed;
}

/** What a thread has taken: a block of rows, and columns from the `within`-th of a part, which is the `column`-th of all. */
export let blockOfRows: i32;
let part = changetype<Part>(0);
export let column: i32;
let within: i32;
export let columns: i32;

/** Takes up to `most` columns of one part for one of so many blocks of rows, while there are any. */
export function takeColumns(s: Step, most: i32, blocks: i32): bool {
  let perBlock = 0;
  for (let i = 0; i < s.partCount; i++) perBlock += (partOf(s, i).width + most - 1) / most;
  let piece = nextPiece(perBlock * blocks);
  if (piece < 0) return false;
  blockOfRows = piece / perBlock;
  piece -= blockOfRows * perBlock;
  column = 0;
  for (let i = 0; ; i++) {
    part = partOf(s, i);
    const pieces = (part.width + most - 1) / most;
    if (piece < pieces) break;
    piece -= pieces;
    column += part.width;
  }
  within = piece * most;
  column += within;
  columns = min(most, part.width - within);
  return true;
}

function partOf(s: Step, i: i32): Part {
  return changetype<Part>(s.parts + <usize>i * offsetof<Part>());
}

export function totalColumns(s: Step): i32 {
  let total = 0;
  for (let i = 0; i < s.partCount; i++) total += partOf(s, i).width;
  return total;
}

/** The panel of floats that column `c` of the layer lies in. */
export function panelIn(s: Step, c: i32): usize {
  const table = changetype<Table>(s.tables);
  return table.weight + (panelOf(c, s.width) << (table.format == Format.f32 ? 2 : 1));
}

/** The same as f32, written to `wide` if it is not. */
export function panelAt(s: Step, c: i32, depth: i32, wide: usize): usize {
  const panel = panelIn(s, c);
  const format = changetype<Table>(s.tables).format;
  if (format == Format.f32) return panel;
  if (format == Format.bf16) widen<u16>(panel, depth, wide);
  else widen<i16>(panel, depth, wide);
  return wide;
}

/** Takes a tile [.., 8] of a panel of weights, whose columns those taken may begin and end within; c is below 0 where they begin later. */
export function finishPanel(s: Step, batch: Batch, r: i32, rows: i32, c: i32, y: usize): void {
  const skipped = max(0, -c);
  const count = min(EIGHT, columns - c) - skipped;
  finishTile(s, batch, r, rows, c + skipped, count, y + ((<usize>skipped) << 2));
}

/** Takes `count` sums of row `r`, from the c-th of those taken, to where they belong, with bias, activation, gate and residual. */
export function finish(s: Step, batch: Batch, r: i32, c: i32, count: i32, values: v128): void {
  const i = within + c;
  if (s.low) values = f32x4.add(values, lowRank(s, r, c, count));
  if (s.bias) values = f32x4.add(values, v128.load(s.bias + ((<usize>(column + c)) << 2)));
  if (s.kind) values = activate(s.kind, values);
  if (part.kept) return append(s, placeOf(s, rowOf(batch, r)), part.at, i, count, values);
  const at = rowAt(0, r, part.width) + ((<usize>i) << 2);
  if (s.gate) values = f32x4.mul(values, v128.load(s.gate + at));
  if (s.second) values = f32x4.add(values, v128.load(s.second + at));
  storeLanes(part.at + at, values, count);
}

/** Takes a tile of sums [.., 8], of which `rows` and `count` columns count, where `finish` would take them. */
export function finishTile(s: Step, batch: Batch, r: i32, rows: i32, c: i32, count: i32, y: usize): void {
  if (count < 8 || s.gate || (part.kept && (s.headDim | (within + c)) & 7)) {
    for (let i = 0; i < rows; i++, y += 32) {
      finish(s, batch, r + i, c, min(4, count), v128.load(y));
      if (count > 4) finish(s, batch, r + i, c + 4, count - 4, v128.load(y, 16));
    }
    return;
  }
  const bias = s.bias ? s.bias + ((<usize>(column + c)) << 2) : 0;
  const bias0 = bias ? v128.load(bias) : f32x4.splat(0);
  const bias1 = bias ? v128.load(bias, 16) : f32x4.splat(0);
  const stride = strideOf(part.width) << 2;
  let at = <usize>r * stride + ((<usize>(within + c)) << 2);
  const head = part.kept ? (within + c) / s.headDim : 0;
  const inHead = (<usize>(within + c - head * s.headDim)) << 2;
  for (let i = 0; i < rows; i++, y += 32, at += stride) {
    let y0 = f32x4.add(v128.load(y), bias0);
    let y1 = f32x4.add(v128.load(y, 16), bias1);
    if (s.low) {
      y0 = f32x4.add(y0, lowRank(s, r + i, c, 4));
      y1 = f32x4.add(y1, lowRank(s, r + i, c + 4, 4));
    }
    if (s.kind) {
      y0 = activate(s.kind, y0);
      y1 = activate(s.kind, y1);
    }
    if (s.second) {
      y0 = f32x4.add(y0, v128.load(s.second + at));
      y1 = f32x4.add(y1, v128.load(s.second + at, 16));
    }
    const to = part.kept ? keysAt(part.at, s, head, placeOf(s, rowOf(batch, r + i))) + inHead : part.at + at;
    v128.store(to, y0);
    v128.store(to, y1, 16);
  }
}

/** What an adapter adds to the four columns from the c-th of those taken; a part of the adapter's ends only where one of the layer's does. */
function lowRank(s: Step, r: i32, c: i32, count: i32): v128 {
  const first = column + c;
  let part = 0;
  while (first >= load<i32>(s.lowEnds + ((<usize>part) << 2))) part++;
  const bytes = (<usize>s.rank) << 2;
  let x = rowAt(s.low, r, s.rank * s.lowParts) + <usize>part * bytes;
  let w0 = s.up + <usize>first * bytes;
  let w1 = s.up + <usize>(first + min(1, count - 1)) * bytes;
  let w2 = s.up + <usize>(first + min(2, count - 1)) * bytes;
  let w3 = s.up + <usize>(first + min(3, count - 1)) * bytes;
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = x + bytes; x < end; x += 16, w0 += 16, w1 += 16, w2 += 16, w3 += 16) {
    const t = v128.load(x);
    a0 = madd(t, v128.load(w0), a0);
    a1 = madd(t, v128.load(w1), a1);
    a2 = madd(t, v128.load(w2), a2);
    a3 = madd(t, v128.load(w3), a3);
  }
  return sums(a0, a1, a2, a3);
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
