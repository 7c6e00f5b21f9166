import { activate } from './activation';
import { keep } from './kv';
import { brain4, half, half4 } from './simd';
import { Batch, Format, keysAt, Kind, panelOf, placeOf, rowAt, rowOf, rowsOf, Step, strideOf, Table } from './step';
import { nextPiece } from './threads';

/** Ops that take each row by itself. */

/** Values [from, from + count) of row `r` of a matrix in its format, as floats; from and count are multiples of 32. */
export function unpack(table: Table, r: i32, width: i32, from: i32, count: i32, to: usize): void {
  const format = table.format;
  if (format == Format.vector) return memory.copy(to, table.weight + ((<usize>from) << 2), (<usize>count) << 2);
  if (format < Format.q8) return unpackFloats(table.weight, format, r, width, from, count, to);
  const first = panelOf(r, width) + ((<usize>from) << 3);
  let at = table.weight + (format == Format.q8 ? first + ((r & 7) << 1) : (first >> 1) + ((r & 7) << 2));
  let scale = table.scales + (first >> 4) + ((r & 7) << 1);
  for (const end = to + ((<usize>count) << 2); to < end; to += 128, scale += 16) {
    const factor = f32x4.splat(half(scale));
    if (format == Format.q4) {
      const bytes = fourWords(at);
      unpack16(i8x16.sub(v128.and(bytes, i8x16.splat(15)), i8x16.splat(8)), factor, to, 32);
      unpack16(i8x16.sub(i8x16.shr_u(bytes, 4), i8x16.splat(8)), factor, to + 16, 32);
      at += 128;
    } else {
      unpack16(i16x8.narrow_i32x4_s(fourHalves(at), fourHalves(at + 64)), factor, to, 16);
      unpack16(i16x8.narrow_i32x4_s(fourHalves(at + 128), fourHalves(at + 192)), factor, to + 64, 16);
      at += 256;
    }
  }
}

/** Every eighth word of a panel. */
function fourWords(at: usize): v128 {
  const two = v128.load_lane<u32>(at + 32, v128.load_zero<u32>(at), 1);
  return v128.load_lane<u32>(at + 96, v128.load_lane<u32>(at + 64, two, 2), 3);
}

/** Every eighth number of 16 bits, sign-extended to 32. */
function fourHalves(at: usize): v128 {
  const two = i32x4.replace_lane(i32x4.splat(load<i16>(at)), 1, load<i16>(at + 16));
  return i32x4.replace_lane(i32x4.replace_lane(two, 2, load<i16>(at + 32)), 3, load<i16>(at + 48));
}

/** Of a matrix of floats; `count` is a multiple of four. */
function unpackFloats(weight: usize, format: i32, r: i32, width: i32, from: i32, count: i32, to: usize): void {
  const end = to + ((<usize>count) << 2);
  const first = panelOf(r, width) + ((<usize>from) << 3) + (r & 7);
  if (format == Format.f32) {
    for (let at = weight + (first << 2); to < end; to += 16, at += 128) v128.store(to, fourWords(at));
    return;
  }
  for (let at = weight + (first << 1); to < end; to += 16, at += 64) {
    const four = fourHalves(at);
    v128.store(to, format == Format.f16 ? half4(four) : brain4(four));
  }
}

/** Sixteen int8 as floats, in fours that begin `apart` bytes from each other. */
function unpack16(bytes: v128, factor: v128, to: usize, apart: usize): void {
  const low = i16x8.extend_low_i8x16_s(bytes);
  const high = i16x8.extend_high_i8x16_s(bytes);
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), factor));
  to += apart;
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), factor));
  to += apart;
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), factor));
  to += apart;
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), factor));
}

/** output = the sum of a row of each table, by the rows' numbers */
export function embed(s: Step, batch: Batch, scratch: usize): void {
  const bytes = strideOf(s.width) << 2;
  for (let r = nextPiece(batch.rows); r >= 0; r = nextPiece(batch.rows)) {
    const to = rowAt(s.output, r, s.width);
    for (let i = 0; i < s.tableCount; i++) {
      const table = changetype<Table>(s.tables + <usize>i * offsetof<Table>());
      const number = load<i32>(changetype<usize>(rowOf(batch, r)) + (table.by << 2));
      unpack(table, table.first + number, s.width, 0, <i32>strideOf(s.width), scratch);
      const factor = f32x4.splat(table.factor);
      for (let b: usize = 0; b < bytes; b += 16) {
        const values = f32x4.mul(v128.load(scratch + b), factor);
        v128.store(to + b, i == 0 ? values : f32x4.add(v128.load(to + b), values));
      }
    }
  }
}

/** output = a + b, or a * b */
export function binary(s: Step, batch: Batch): void {
  const bytes = strideOf(s.width) << 2;
  for (let r = nextPiece(rowsOf(s, batch)); r >= 0; r = nextPiece(rowsOf(s, batch))) {
    const at = rowAt(0, r, s.width);
    for (let i = at; i < at + bytes; i += 16) {
      const a = v128.load(s.input + i);
      const b = v128.load(s.second + i);
      v128.store(s.output + i, s.kind == Kind.add ? f32x4.add(a, b) : f32x4.mul(a, b));
    }
  }
}

export function activation(s: Step, batch: Batch): void {
  for (let r = nextPiece(rowsOf(s, batch)); r >= 0; r = nextPiece(rowsOf(s, batch))) {
    const from = rowAt(s.input, r, s.width);
    const to = rowAt(s.output, r, s.width);
    const bytes = (<usize>s.width) << 2;
    // What is past the width is 0 and stays 0 by every activation.
    for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, activate(s.kind, v128.load(from + i)));
  }
}

/** output = input, each head's first pairs turned by the angles of the row's position (see plan.ts) */
export function rotate(s: Step, batch: Batch, angles: usize): void {
  for (let r = nextPiece(batch.rows); r >= 0; r = nextPiece(batch.rows)) {
    const from = rowAt(s.input, r, s.width);
    const to = rowAt(s.output, r, s.width);
    loadAngles(s, rowOf(batch, r).position, angles);
    const bytes = (<usize>s.headDim) << 2;
    for (let head = 0; head < s.nHead; head++) turn(s, from + head * bytes, to + head * bytes, angles, 0, 0);
  }
}

/** output = queries turned; keys turned, and values, to their places in a source */
export function rotateAppend(s: Step, batch: Batch, angles: usize): void {
  const bytes = (<usize>s.headDim) << 2;
  for (let r = nextPiece(batch.rows); r >= 0; r = nextPiece(batch.rows)) {
    loadAngles(s, rowOf(batch, r).position, angles);
    const from = rowAt(s.input, r, s.width);
    const to = rowAt(s.output, r, s.width);
    for (let head = 0; head < s.nHead; head++) {
      turn(s, from + head * bytes, to + head * bytes, angles, s.normWeight, s.epsilon);
    }
    const place = placeOf(s, rowOf(batch, r));
    const row = rowAt(0, r, s.keyHeads * s.headDim);
    for (let head = 0; head < s.keyHeads; head++) {
      const at = row + head * bytes;
      turn(s, s.second + at, keysAt(s.keys, s, head, place), angles, s.normBias, s.scale);
      memory.copy(keysAt(s.values, s, head, place), s.gate + at, bytes);
    }
  }
}

/** Cosines and sines of a position. */
export function loadAngles(s: Step, position: i32, to: usize): void {
  unpackFloats(s.angles, Format.f32, position, 2 * s.pairs, 0, (2 * s.pairs + 3) & ~3, to);
}

/** A head turned, and normed first by its root mean square where there is a weight. */
function turn(s: Step, x: usize, y: usize, angles: usize, weight: usize, epsilon: f32): void {
  const bytes = (<usize>s.headDim) << 2;
  memory.copy(y, x, bytes);
  if (weight) {
    let squares: f32 = 0;
    for (let i: usize = 0; i < bytes; i += 4) squares += load<f32>(y + i) * load<f32>(y + i);
    const factor: f32 = <f32>1 / sqrt<f32>(squares / <f32>s.headDim + epsilon);
    for (let i: usize = 0; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) * factor * load<f32>(weight + i));
  }
  const half = (<usize>s.pairs) << 2;
  for (let i: usize = 0; i < half; i += 4) {
    const cos = load<f32>(angles + i);
    const sin = load<f32>(angles + half + i);
    const a = load<f32>(y + i);
    const b = load<f32>(y + half + i);
    store<f32>(y + i, a * cos - b * sin);
    store<f32>(y + half + i, b * cos + a * sin);
  }
}

export function selectRows(s: Step, batch: Batch): void {
  for (let i = nextPiece(batch.logitRows); i >= 0; i = nextPiece(batch.logitRows)) {
    memory.copy(rowAt(s.output, i, s.width), rowAt(s.input, rowOf(batch, i).logitRow, s.width), strideOf(s.width) << 2);
  }
}

export function cacheAppend(s: Step, batch: Batch): void {
  const bytes = (<usize>s.headDim) << 2;
  for (let r = nextPiece(batch.rows); r >= 0; r = nextPiece(batch.rows)) {
    const place = placeOf(s, rowOf(batch, r));
    for (let head = 0; head < s.keyHeads; head++) {
      const from = rowAt(0, r, s.width) + head * bytes;
      keep(s, s.keys, head, place, s.input + from);
      keep(s, s.values, head, place, s.second + from);
    }
  }
}
