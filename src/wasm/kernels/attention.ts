import { storeLanes } from './linear';
import { exp4, largest, madd, sum, sums } from './simd';
import { Batch, cacheAt, headStride, Row, rowAt, rowOf, Step, strideOf } from './step';
import { nextPiece } from './threads';

/** Attention of one row and head at a time; the cache is read where it lies. */

/** Row `r` of head `head` of a tensor [nHead, rows, context]. */
function contextRow(s: Step, batch: Batch, tensor: usize, head: i32, r: i32): usize {
  return rowAt(tensor, head * batch.rows + r, s.context);
}

/** q of a row's head, with zeros to whole vectors as the cache has them. */
function loadQuery(s: Step, r: i32, head: i32, to: usize): void {
  v128.store(to + (((headStride(s.headDim) as usize) - 4) << 2), f32x4.splat(0));
  memory.copy(to, rowAt(s.input, r, s.width) + ((<usize>(head * s.headDim)) << 2), (<usize>s.headDim) << 2);
}

/** output[key] = q · k * scale for keys 0 .. count; writes whole vectors. */
function scores(s: Step, q: usize, keys: usize, count: i32, output: usize): void {
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

/** output = e^(x - max x) over `count` values, which fill whole vectors with -Infinity; gives their sum. */
function exponentials(x: usize, count: i32, output: usize): f32 {
  const bytes = (<usize>count) << 2;
  let most = f32x4.splat(-Infinity);
  for (let i: usize = 0; i < bytes; i += 16) most = f32x4.max(most, v128.load(x + i));
  const top = f32x4.splat(largest(most));
  let total = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const e = exp4(f32x4.sub(v128.load(x + i), top));
    total = f32x4.add(total, e);
    v128.store(output + i, e);
  }
  return sum(total);
}

function fillMasked(x: usize, from: i32, to: i32): void {
  for (let i = from; i < to; i++) store<f32>(x + ((<usize>i) << 2), -Infinity);
}

/** output [headDim] = factor * Σ over keys of pattern[key] v[key] */
function mix(s: Step, pattern: usize, values: usize, count: i32, factor: f32, output: usize): void {
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

function outputAt(s: Step, r: i32, head: i32): usize {
  return rowAt(s.output, r, s.nHead * s.headDim) + ((<usize>(head * s.headDim)) << 2);
}

/** Scores, softmax and mix of each row and head, through this thread's scratch. */
export function attention(s: Step, batch: Batch, scratch: usize): void {
  const pattern = scratch + (headStride(s.headDim) << 2);
  for (let piece = nextPiece(); piece < s.nHead * batch.rows; piece = nextPiece()) {
    const head = piece / batch.rows; // a head's keys and values stay in the L2 cache for all its rows
    const r = piece - head * batch.rows;
    const row = rowOf(batch, r);
    const count = row.position + 1;
    loadQuery(s, r, head, scratch);
    scores(s, scratch, cacheAt(s.keys, s, row.slot, head, 0), count, pattern);
    fillMasked(pattern, count, (count + 3) & ~3);
    const total = exponentials(pattern, count, pattern);
    mix(s, pattern, cacheAt(s.values, s, row.slot, head, 0), count, 1 / total, outputAt(s, r, head));
  }
}

export function attentionScores(s: Step, batch: Batch, scratch: usize): void {
  for (let piece = nextPiece(); piece < s.nHead * batch.rows; piece = nextPiece()) {
    const head = piece / batch.rows;
    const r = piece - head * batch.rows;
    const row = rowOf(batch, r);
    const output = contextRow(s, batch, s.output, head, r);
    loadQuery(s, r, head, scratch);
    scores(s, scratch, cacheAt(s.keys, s, row.slot, head, 0), row.position + 1, output);
    fillMasked(output, row.position + 1, (batch.keys + 3) & ~3);
  }
}

export function maskedSoftmax(s: Step, batch: Batch): void {
  for (let piece = nextPiece(); piece < s.nHead * batch.rows; piece = nextPiece()) {
    const output = rowAt(s.output, piece, s.context);
    const bytes = (<usize>batch.keys) << 2;
    const total = exponentials(rowAt(s.input, piece, s.context), batch.keys, output);
    const factor = f32x4.splat(1 / total);
    for (let i: usize = 0; i < bytes; i += 16) v128.store(output + i, f32x4.mul(v128.load(output + i), factor));
  }
}

export function attentionMix(s: Step, batch: Batch): void {
  for (let piece = nextPiece(); piece < s.nHead * batch.rows; piece = nextPiece()) {
    const head = piece / batch.rows;
    const r = piece - head * batch.rows;
    const row = rowOf(batch, r);
    const values = cacheAt(s.values, s, row.slot, head, 0);
    mix(s, contextRow(s, batch, s.input, head, r), values, row.position + 1, 1, outputAt(s, r, head));
  }
}
