import { activate } from './activation';
import { half, half4 } from './simd';
import { Batch, cacheAt, F16, F32, headStride, Q8, rowAt, rowOf, Step, strideOf } from './step';
import { nextPiece } from './threads';

/** Ops that take each row by itself. */

/** Values [from, from + count) of row `r` of a matrix in its format, as floats; from and count are multiples of 32. */
export function unpack(
  format: i32,
  weight: usize,
  scales: usize,
  r: i32,
  width: i32,
  from: i32,
  count: i32,
  to: usize,
): void {
  const first = <usize>r * strideOf(width) + from;
  const end = to + ((<usize>count) << 2);
  if (format == F32) {
    memory.copy(to, weight + (first << 2), (<usize>count) << 2);
  } else if (format == F16) {
    let at = weight + (first << 1);
    for (; to < end; to += 32, at += 16) {
      v128.store(to, half4(v128.load_ext<i16>(at)));
      v128.store(to, half4(v128.load_ext<i16>(at, 8)), 16);
    }
  } else {
    let scale = scales + ((first >> 5) << 1);
    let at = format == Q8 ? weight + first : weight + (first >> 1);
    for (; to < end; to += 128, scale += 2) {
      const factor = f32x4.splat(half(scale));
      if (format == Q8) {
        unpack16(v128.load(at), factor, to, 16);
        unpack16(v128.load(at, 16), factor, to + 64, 16);
        at += 32;
      } else {
        const bytes = v128.load(at);
        const low = i8x16.sub(v128.and(bytes, i8x16.splat(15)), i8x16.splat(8));
        const high = i8x16.sub(i8x16.shr_u(bytes, 4), i8x16.splat(8));
        unpack16(low, factor, to, 32);
        unpack16(high, factor, to + 16, 32);
        at += 16;
      }
    }
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

/** output = weight[token] + positionWeight[position], either of which may be absent */
export function embed(s: Step, batch: Batch, scratch: usize): void {
  const bytes = strideOf(s.width) << 2;
  for (let r = nextPiece(); r < batch.rows; r = nextPiece()) {
    const row = rowOf(batch, r);
    const to = rowAt(s.output, r, s.width);
    if (s.weight) unpack(s.format, s.weight, s.scales, row.token, s.width, 0, <i32>strideOf(s.width), to);
    if (!s.positionWeight) continue;
    const second = s.weight ? scratch : to;
    unpack(
      s.positionFormat,
      s.positionWeight,
      s.positionScales,
      row.position,
      s.width,
      0,
      <i32>strideOf(s.width),
      second,
    );
    if (s.weight) addVectors(to, second, to, bytes);
  }
}

function addVectors(a: usize, b: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
}

export function add(s: Step, batch: Batch): void {
  for (let r = nextPiece(); r < batch.rows; r = nextPiece()) {
    const at = rowAt(0, r, s.width);
    addVectors(s.input + at, s.second + at, s.output + at, strideOf(s.width) << 2);
  }
}

export function activation(s: Step, batch: Batch): void {
  for (let r = nextPiece(); r < batch.rows; r = nextPiece()) {
    const from = rowAt(s.input, r, s.width);
    const to = rowAt(s.output, r, s.width);
    const bytes = (<usize>s.width) << 2;
    // What is past the width is 0 and stays 0 by every activation.
    for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, activate(s.activation, v128.load(from + i)));
  }
}

export function selectRows(s: Step, batch: Batch): void {
  for (let i = nextPiece(); i < batch.logitRows; i = nextPiece()) {
    memory.copy(rowAt(s.output, i, s.width), rowAt(s.input, rowOf(batch, i).logitRow, s.width), strideOf(s.width) << 2);
  }
}

export function cacheAppend(s: Step, batch: Batch): void {
  const bytes = (<usize>s.headDim) << 2;
  for (let r = nextPiece(); r < batch.rows; r = nextPiece()) {
    const row = rowOf(batch, r);
    for (let head = 0; head < s.nHead; head++) {
      const from = rowAt(0, r, s.width) + head * bytes;
      memory.copy(cacheAt(s.keys, s, row.slot, head, row.position), s.input + from, bytes);
      memory.copy(cacheAt(s.values, s, row.slot, head, row.position), s.second + from, bytes);
    }
  }
}
