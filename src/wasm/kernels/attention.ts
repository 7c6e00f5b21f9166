import { storeLanes } from './linear';
import { asFloats } from './kv';
import { exp4, largest, madd, sums } from './simd';
import { Batch, countOf, firstOf, headStride, keysAt, panelOf, placeOf, Row, rowAt, rowOf, Step } from './step';
import { nextPiece } from './threads';

/** Attention of one row and head at a time, for few rows and where scores or pattern are wanted. */

/** Row `r` of head `head` of a tensor [nHead, rows, keys]. */
export function keyRow(s: Step, batch: Batch, tensor: usize, head: i32, r: i32): usize {
  return rowAt(tensor, head * batch.rows + r, s.keyWidth);
}

/** Keys or values of a query's head that a row sees. */
export function seen(s: Step, row: Row, head: i32, keys: usize): usize {
  return keysAt(keys, s, (head * s.keyHeads) / s.nHead, firstOf(s, row));
}

/** q of a row's head, with zeros to whole vectors as the cache has them. */
export function loadQuery(s: Step, r: i32, head: i32, to: usize): void {
  v128.store(to + (((headStride(s.headDim) as usize) - 4) << 2), f32x4.splat(0));
  memory.copy(to, rowAt(s.input, r, s.nHead * s.headDim) + ((<usize>(head * s.headDim)) << 2), (<usize>s.headDim) << 2);
}

/** output[key] = q · k * scale for keys 0 .. count; writes whole vectors. */
export function scores(s: Step, q: usize, keys: usize, count: i32, output: usize): void {
  const bytes = headStride(s.headDim) << 2;
  const factor = f32x4.splat(s.scale);
  for (let key = 0; key < count; key += 4, keys += 4 * bytes, output += 16) {
    const k1 = keys + bytes;
    const k2 = k1 + bytes;
    const k3 = k2 + bytes;
    let a0 = f32x4.splat(0);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    for (let i: usize = 0; i < bytes; i += 16) {
      const part = v128.load(q + i);
      a0 = madd(part, v128.load(keys + i), a0);
      a1 = madd(part, v128.load(k1 + i), a1);
      a2 = madd(part, v128.load(k2 + i), a2);
      a3 = madd(part, v128.load(k3 + i), a3);
    }
    v128.store(output, f32x4.mul(sums(a0, a1, a2, a3), factor));
  }
}

/** The maximum that `exponentials` took off last. */
export let taken: f32 = 0;

/** output, if there is one, = e^(x - max x) over `count` values, which fill whole vectors with -Infinity; gives their sum. */
export function exponentials(x: usize, count: i32, output: usize): f32 {
  const bytes = (<usize>count) << 2;
  let most = f32x4.splat(-Infinity);
  for (let i: usize = 0; i < bytes; i += 16) most = f32x4.max(most, v128.load(x + i));
  taken = largest(most);
  const top = f32x4.splat(taken);
  let total = f64x2.splat(0); // of a vocabulary's words what is least counts too
  for (let i: usize = 0; i < bytes; i += 16) {
    const e = exp4(f32x4.sub(v128.load(x + i), top));
    const last = v128.shuffle<f64>(e, e, 1, 1);
    total = f64x2.add(total, f64x2.add(f64x2.promote_low_f32x4(e), f64x2.promote_low_f32x4(last)));
    if (output) v128.store(output + i, e);
  }
  return <f32>(f64x2.extract_lane(total, 0) + f64x2.extract_lane(total, 1));
}

/** The same of a row of a tensor, which has zeros behind its values. */
export function rowExponentials(x: usize, width: i32, output: usize): f32 {
  fillMasked(x, width, (width + 3) & ~3);
  const total = exponentials(x, width, output);
  memory.fill(x + ((<usize>width) << 2), 0, (-width & 3) << 2);
  return total;
}

/** Of each row of logits its largest, the sum of e^(x - largest), and the first place that has the largest: four floats a row. */
export function totals(s: Step, batch: Batch): void {
  for (let r = nextPiece(batch.logitRows); r >= 0; r = nextPiece(batch.logitRows)) {
    const x = rowAt(s.input, r, s.width);
    const to = s.output + ((<usize>r) << 4);
    store<f32>(to, rowExponentials(x, s.width, 0), 4);
    store<f32>(to, taken);
    let at = x;
    while (load<f32>(at) < taken) at += 4;
    store<f32>(to, <f32>((at - x) >> 2), 8);
  }
}

function fillMasked(x: usize, from: i32, to: i32): void {
  for (let i = from; i < to; i++) store<f32>(x + ((<usize>i) << 2), -Infinity);
}

/** output [headDim] = factor * Σ over keys of pattern[key] v[key] */
export function mix(s: Step, pattern: usize, values: usize, count: i32, factor: f32, output: usize): void {
  const bytes = headStride(s.headDim) << 2;
  const end = pattern + ((<usize>count) << 2);
  const factors = f32x4.splat(factor);
  let i: usize = 0;
  for (; i + 64 <= (<usize>s.headDim) << 2; i += 64) {
    let a0 = f32x4.splat(0);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    for (let p = pattern, v = values + i; p < end; p += 4, v += bytes) {
      const weight = v128.load_splat<f32>(p);
      a0 = madd(weight, v128.load(v), a0);
      a1 = madd(weight, v128.load(v, 16), a1);
      a2 = madd(weight, v128.load(v, 32), a2);
      a3 = madd(weight, v128.load(v, 48), a3);
    }
    v128.store(output + i, f32x4.mul(a0, factors));
    v128.store(output + i, f32x4.mul(a1, factors), 16);
    v128.store(output + i, f32x4.mul(a2, factors), 32);
    v128.store(output + i, f32x4.mul(a3, factors), 48);
  }
  for (; i < bytes; i += 16) {
    let a = f32x4.splat(0);
    for (let p = pattern, v = values + i; p < end; p += 4, v += bytes) {
      a = madd(v128.load_splat<f32>(p), v128.load(v), a);
    }
    storeLanes(output + i, f32x4.mul(a, factors), min(4, s.headDim - <i32>(i >> 2)));
  }
}

export function outputAt(s: Step, r: i32, head: i32): usize {
  return rowAt(s.output, r, s.nHead * s.headDim) + ((<usize>(head * s.headDim)) << 2);
}

/** Scores, softmax and mix of one row and head, through this thread's scratch. */
export function attentionRow(s: Step, batch: Batch, r: i32, head: i32, scratch: usize): void {
  const pattern = scratch + (headStride(s.headDim) << 2);
  const row = rowOf(batch, r);
  const count = countOf(s, row);
  rowScores(s, row, r, head, scratch, pattern, pattern + ((<usize>count + 4) << 2));
  fillMasked(pattern, count, (count + 3) & ~3);
  const total = exponentials(pattern, count, pattern);
  const values = asFloats(s, seen(s, row, head, s.values), count, pattern + ((<usize>count + 4) << 2));
  mix(s, pattern, values, count, count ? 1 / total : 0, outputAt(s, r, head));
}

/** Through a query's scratch, and `unpacked` for keys that are not floats. */
function rowScores(s: Step, row: Row, r: i32, head: i32, scratch: usize, output: usize, unpacked: usize): void {
  loadQuery(s, r, head, scratch);
  const count = countOf(s, row);
  scores(s, scratch, asFloats(s, seen(s, row, head, s.keys), count, unpacked), count, output);
  if (s.distances) addDistances(s, row, head, output);
}

/** Adds to a row's scores, so many bytes apart, what its table has for the distances of the keys. */
export function addDistances(s: Step, row: Row, head: i32, output: usize, apart: usize = 4): void {
  const most = s.farthest;
  // A matrix of floats lies in panels of eight rows.
  const table = s.distances + ((panelOf(head, 2 * most + 1) + ((<usize>most) << 3) + (head & 7)) << 2);
  let distance = firstOf(s, row) - placeOf(s, row);
  for (const end = output + <usize>countOf(s, row) * apart; output < end; output += apart, distance++) {
    const at = table + (max(-most, min(most, distance)) << 5);
    store<f32>(output, load<f32>(output) + load<f32>(at));
  }
}

export function attentionScores(s: Step, batch: Batch, scratch: usize): void {
  for (let piece = nextPiece(s.nHead * batch.rows); piece >= 0; piece = nextPiece(s.nHead * batch.rows)) {
    const head = piece / batch.rows;
    const r = piece - head * batch.rows;
    const output = keyRow(s, batch, s.output, head, r);
    rowScores(s, rowOf(batch, r), r, head, scratch, output, scratch + (headStride(s.headDim) << 2));
    const count = countOf(s, rowOf(batch, r));
    fillMasked(output, count, mostKeys(s, batch));
    if (s.masked) fillMasked(output, 0, max(0, count - s.masked));
  }
}

/** The most keys that a row sees, rounded up to whole vectors. */
export function mostKeys(s: Step, batch: Batch): i32 {
  return ((s.memory ? batch.source : batch.context) + 3) & ~3;
}

export function maskedSoftmax(s: Step, batch: Batch): void {
  for (let piece = nextPiece(s.nHead * batch.rows); piece >= 0; piece = nextPiece(s.nHead * batch.rows)) {
    let output = rowAt(s.output, piece, s.keyWidth);
    const count = mostKeys(s, batch);
    const factor = f32x4.splat(1 / exponentials(rowAt(s.input, piece, s.keyWidth), count, output));
    for (const end = output + ((<usize>count) << 2); output < end; output += 16) {
      v128.store(output, f32x4.mul(v128.load(output), factor));
    }
  }
}

export function attentionMix(s: Step, batch: Batch, scratch: usize): void {
  for (let piece = nextPiece(s.nHead * batch.rows); piece >= 0; piece = nextPiece(s.nHead * batch.rows)) {
    const head = piece / batch.rows;
    const r = piece - head * batch.rows;
    const row = rowOf(batch, r);
    const values = asFloats(s, seen(s, row, head, s.values), countOf(s, row), scratch);
    mix(s, keyRow(s, batch, s.input, head, r), values, countOf(s, row), 1, outputAt(s, r, head));
  }
}
