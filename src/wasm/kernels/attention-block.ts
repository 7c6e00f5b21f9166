import { addDistances, attentionRow, outputAt, seen } from './attention';
import { storeLanes } from './linear';
import { asFloats } from './kv';
import { EIGHT, packFour, packSix, SIX, tile } from './panels';
import { exp4 } from './simd';
import { ATTENTION_ROWS, Batch, countOf, firstOf, headStride, rowAt, rowOf, Step } from './step';
import { nextPiece } from './threads';

/** Attention of rows that see much the same keys, eight rows at a time: scores and pattern of eight rows are [keys, 8]. */

/** Scores, softmax and mix of each row and head, through this thread's scratch. */
export function attention(s: Step, batch: Batch, scratch: usize): void {
  const count = findGroups(s, batch, scratch);
  const own = scratch + ((<usize>(batch.rows + 4)) << 2);
  for (let piece = nextPiece(s.nHead * count); piece >= 0; piece = nextPiece(s.nHead * count)) {
    const head = piece % s.nHead;
    const group = scratch + ((<usize>(piece / s.nHead)) << 2);
    const from = load<i32>(group);
    const end = load<i32>(group, 4);
    if (end - from > 2) groupOfRows(s, batch, head, from, end, own);
    else for (let r = from; r < end; r++) attentionRow(s, batch, r, head, own);
  }
}

/** Writes where groups of rows begin that see much the same keys, and the end of the last one; gives their number. */
function findGroups(s: Step, batch: Batch, to: usize): i32 {
  let count = 0;
  for (let r = 0; r < batch.rows; ) {
    const rows = endOfText(s, batch, r) - r;
    const groups = (rows + ATTENTION_ROWS - 1) / ATTENTION_ROWS;
    const each = ((rows + groups - 1) / groups + EIGHT - 1) & ~(EIGHT - 1);
    for (let i = 0; i < rows; i += each, count++) store<i32>(to + ((<usize>count) << 2), r + i);
    r += rows;
  }
  store<i32>(to + ((<usize>count) << 2), batch.rows);
  return count;
}

/** The end of the rows from `r` on that each begin to see keys among those of the last one, and see few beyond. */
function endOfText(s: Step, batch: Batch, r: i32): i32 {
  for (r++; r < batch.rows; r++) {
    const last = rowOf(batch, r - 1);
    const row = rowOf(batch, r);
    const before = firstOf(s, row) - firstOf(s, last);
    const behind = firstOf(s, row) + countOf(s, row) - firstOf(s, last) - countOf(s, last);
    if (before < 0 || before > 1 || before >= countOf(s, last) || behind > 1 || !countOf(s, row)) break;
  }
  return r;
}

/** Eight rows of a group: the keys that any of them sees, and whether some see others than the rest. */
@unmanaged
class Range {
  low: i32;
  high: i32;
  ragged: bool;
}

function findRange(s: Step, batch: Batch, r: i32, end: i32, range: Range): void {
  const rows = min(EIGHT, end - r);
  let all = 0;
  range.low = i32.MAX_VALUE;
  range.high = 0;
  for (let i = r; i < r + rows; i++) {
    const row = rowOf(batch, i);
    range.low = min(range.low, firstOf(s, row));
    range.high = max(range.high, firstOf(s, row) + countOf(s, row));
    all += countOf(s, row);
  }
  range.ragged = all != rows * (range.high - range.low);
}

function groupOfRows(s: Step, batch: Batch, head: i32, from: i32, end: i32, scratch: usize): void {
  const dims = headStride(s.headDim);
  const panel = dims * EIGHT * 4;
  const six = scratch; // six keys [headDim, 6], later the mix [headDim, 8]
  const queries = six + panel + SIX * EIGHT * 4; // panels [headDim, 8]
  const ranges = queries + (ATTENTION_ROWS / EIGHT) * panel;
  const patterns = ranges + (ATTENTION_ROWS / EIGHT) * offsetof<Range>(); // panels [keys, 8]
  const first = firstOf(s, rowOf(batch, from));
  let most = first;
  let q = queries;
  let range = ranges;
  for (let r = from; r < end; r += EIGHT, q += panel, range += offsetof<Range>()) {
    packQueries(s, head, r, end, q);
    findRange(s, batch, r, end, changetype<Range>(range));
    most = max(most, changetype<Range>(range).high);
  }
  const pattern = <usize>(most - first + SIX) * EIGHT * 4;
  const unpacked = patterns + (ATTENTION_ROWS / EIGHT) * pattern;
  const keys = asFloats(s, seen(s, rowOf(batch, from), head, s.keys), most - first, unpacked);
  for (let key = first; key < most; key += SIX) {
    packKeys(keys, key - first, most - 1 - first, dims << 2, six);
    let to = patterns + <usize>(key - first) * EIGHT * 4;
    q = queries;
    range = ranges;
    for (let r = from; r < end; r += EIGHT, q += panel, range += offsetof<Range>(), to += pattern) {
      const seenBy = changetype<Range>(range);
      if (key < seenBy.high && key + SIX > seenBy.low) tile(six, SIX * 4, q, s.headDim, to);
    }
  }
  const values = asFloats(s, seen(s, rowOf(batch, from), head, s.values), most - first, unpacked);
  let again = 0;
  range = ranges;
  let p = patterns;
  for (let r = from, bit = 1; r < end; r += EIGHT, bit += bit, p += pattern, range += offsetof<Range>()) {
    const skipped = <usize>(changetype<Range>(range).low - first);
    const at = p + skipped * EIGHT * 4;
    if (
      !mixEight(
        s,
        batch,
        head,
        r,
        min(EIGHT, end - r),
        changetype<Range>(range),
        at,
        values + skipped * (dims << 2),
        six,
      )
    ) {
      again |= bit;
    }
  }
  for (let r = from; r < end; r++) if ((again >> ((r - from) / EIGHT)) & 1) attentionRow(s, batch, r, head, scratch);
}

/** Rows r .. r + 8 of a head's queries; the last one stands in for those beyond `end`. */
function packQueries(s: Step, head: i32, r: i32, end: i32, to: usize): void {
  for (let i = 0; i < EIGHT; i += 4) {
    const q0 = queryAt(s, head, min(r + i, end - 1));
    const q1 = queryAt(s, head, min(r + i + 1, end - 1));
    const q2 = queryAt(s, head, min(r + i + 2, end - 1));
    packFour(q0, q1, q2, queryAt(s, head, min(r + i + 3, end - 1)), s.headDim, to + i * 4);
  }
}

function queryAt(s: Step, head: i32, r: i32): usize {
  return rowAt(s.input, r, s.nHead * s.headDim) + ((<usize>(head * s.headDim)) << 2);
}

/** Six keys from the `key`-th on; the last one stands in for those beyond. */
function packKeys(keys: usize, key: i32, last: i32, bytes: usize, to: usize): void {
  const k0 = keys + <usize>key * bytes;
  const k1 = keys + <usize>min(key + 1, last) * bytes;
  const k2 = keys + <usize>min(key + 2, last) * bytes;
  const k3 = keys + <usize>min(key + 3, last) * bytes;
  const k4 = keys + <usize>min(key + 4, last) * bytes;
  packSix(k0, k1, k2, k3, k4, keys + <usize>min(key + 5, last) * bytes, <i32>(bytes >> 2), to);
}

/**
 * Softmax and mix of eight rows, whose scores begin at `p`, values at `v`. False if it has to be done row by row: something
 * that is not a number, times the 0 of a row that does not see it, is not one either.
 */
function mixEight(
  s: Step,
  batch: Batch,
  head: i32,
  r: i32,
  rows: i32,
  range: Range,
  p: usize,
  v: usize,
  mixed: usize,
): bool {
  const count = range.high - range.low;
  if (s.distances) scaleAll(p, count, s.scale);
  for (let i = 0; i < rows; i++) {
    const row = rowOf(batch, r + i);
    const own = p + <usize>(firstOf(s, row) - range.low) * EIGHT * 4 + i * 4;
    if (s.distances) addDistances(s, row, head, own, EIGHT * 4);
    if (range.ragged) {
      mask(p + i * 4, own);
      mask(own + <usize>countOf(s, row) * EIGHT * 4, p + <usize>count * EIGHT * 4);
    }
  }
  softmax(p, count, s.distances ? 1 : s.scale);
  for (let i = 0; i < s.headDim; i += SIX) {
    tile(v + ((<usize>i) << 2), headStride(s.headDim) << 2, p, count, mixed + <usize>i * EIGHT * 4);
  }
  if (range.ragged && anyNaN(mixed, s.headDim)) return false;
  const factors = p + <usize>count * EIGHT * 4;
  storeFour(s, head, r, min(4, rows), v128.load(factors), mixed);
  if (rows > 4) storeFour(s, head, r + 4, rows - 4, v128.load(factors, 16), mixed + 16);
  return true;
}

/** Scores of one of eight rows, which it does not see. */
function mask(from: usize, end: usize): void {
  for (; from < end; from += EIGHT * 4) store<f32>(from, -Infinity);
}

function scaleAll(p: usize, count: i32, scale: f32): void {
  const factor = f32x4.splat(scale);
  for (const end = p + <usize>count * EIGHT * 4; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), factor));
}

/** p [count, 8] = e^(p * scale - its most), and behind them 1 / their sums */
function softmax(p: usize, count: i32, scale: f32): void {
  const end = p + <usize>count * EIGHT * 4;
  const factor = f32x4.splat(scale);
  let most0 = f32x4.splat(-Infinity);
  let most1 = most0;
  for (let at = p; at < end; at += EIGHT * 4) {
    most0 = f32x4.max(most0, f32x4.mul(v128.load(at), factor));
    most1 = f32x4.max(most1, f32x4.mul(v128.load(at, 16), factor));
  }
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (let at = p; at < end; at += EIGHT * 4) {
    const e0 = exp4(f32x4.sub(f32x4.mul(v128.load(at), factor), most0));
    const e1 = exp4(f32x4.sub(f32x4.mul(v128.load(at, 16), factor), most1));
    v128.store(at, e0);
    v128.store(at, e1, 16);
    sum0 = f32x4.add(sum0, e0);
    sum1 = f32x4.add(sum1, e1);
  }
  v128.store(end, f32x4.div(f32x4.splat(1), sum0));
  v128.store(end, f32x4.div(f32x4.splat(1), sum1), 16);
}

function anyNaN(x: usize, depth: i32): bool {
  let found = i32x4.splat(0);
  for (const end = x + <usize>depth * EIGHT * 4; x < end; x += 16) {
    found = v128.or(found, f32x4.ne(v128.load(x), v128.load(x)));
  }
  return v128.any_true(found);
}

/** The mix [headDim, 8] of four of the eight rows, times their factors, to their places in the output. */
function storeFour(s: Step, head: i32, r: i32, rows: i32, factors: v128, mixed: usize): void {
  for (let i = 0; i < s.headDim; i += 4, mixed += 4 * EIGHT * 4) {
    const a = f32x4.mul(v128.load(mixed), factors);
    const b = f32x4.mul(v128.load(mixed, 32), factors);
    const c = f32x4.mul(v128.load(mixed, 64), factors);
    const d = f32x4.mul(v128.load(mixed, 96), factors);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    const count = min(4, s.headDim - i);
    const to = (<usize>i) << 2;
    storeLanes(outputAt(s, r, head) + to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), count);
    if (rows > 1) storeLanes(outputAt(s, r + 1, head) + to, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7), count);
    if (rows > 2) storeLanes(outputAt(s, r + 2, head) + to, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5), count);
    if (rows > 3) storeLanes(outputAt(s, r + 3, head) + to, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7), count);
  }
}
