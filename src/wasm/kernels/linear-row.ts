import { normalize } from './layer-norm';
import { finish, inputRow } from './linear';
import { half4, largest, madd, sums } from './simd';
import { Batch, F16, F32, Q8, Step, strideOf } from './step';
import { nextPiece, threadCount } from './threads';

/**
 * y = x weightᵀ for few rows, as in decoding: bound by reading the weights. Each thread first makes the rows of x ready for
 * itself, which is cheaper than a barrier.
 *
 * Against q8 and q4 weights x is written, block by block, as a float scale times integers of 30 bits, in two digits of 15:
 * x = scale * (high * 2^15 + low). Integer products (pmaddwd and its like) are then exact, and as precise as float32 ones.
 */
export function linearRow(s: Step, batch: Batch, scratch: usize): void {
  const rows = s.select ? batch.logitRows : batch.rows;
  const quantised = s.format >= Q8;
  const stride = strideOf(s.width);
  const bytes = stride << 2;
  const normed = scratch + bytes * rows;
  const scales = normed + bytes; // of the digits, [rows, stride / 32]
  const factors = scales + ((stride * rows) >> 3); // scale of x times scale of the weight, for two rows of weights
  for (let r = 0; r < rows; r++) {
    let x = inputRow(s, batch, r);
    if (s.normWeight) {
      const to = quantised ? normed : scratch + bytes * r;
      zeroEnd(to, s.width, stride);
      normalize(s, x, 0, to);
      x = to;
    }
    if (quantised) digits(x, stride, s.format == Q8, scratch + bytes * r, scales + ((stride * r) >> 3));
  }

  const inPlace = !s.normWeight && !quantised;
  const perPiece = max(8, min(256, (s.outputWidth / (threadCount() * 8)) & ~3));
  const piecesPerOutput = (s.outputWidth + perPiece - 1) / perPiece;
  for (let piece = nextPiece(); piece < s.outputs * piecesPerOutput; piece = nextPiece()) {
    const output = piece / piecesPerOutput;
    const first = (piece - output * piecesPerOutput) * perPiece;
    const end = output * s.outputWidth + min(s.outputWidth, first + perPiece);
    for (let column = output * s.outputWidth + first; column < end; column += 4) {
      const count = min(4, end - column);
      for (let r = 0; r < rows; r++) {
        const x = inPlace ? inputRow(s, batch, r) : scratch + bytes * r;
        const xScales = scales + ((stride * r) >> 3);
        let y: v128;
        if (s.format == F32) y = dotsF32(s, x, column, count);
        else if (s.format == F16) y = dotsF16(s, x, column, count);
        else {
          const ab = dotsQuantised(s, x, xScales, column, count, factors);
          const cd = count > 2 ? dotsQuantised(s, x, xScales, column + 2, count - 2, factors) : ab;
          y = v128.shuffle<f64>(ab, cd, 0, 2);
        }
        finish(s, batch, r, column, count, y);
      }
    }
  }
}

function zeroEnd(x: usize, width: i32, stride: usize): void {
  if (<usize>width < stride) memory.fill(x + ((<usize>width) << 2), 0, (stride - width) << 2);
}

/** Address of weight row `column + i`; the last of the `count` rows stands in for those beyond. */
function weightRow(s: Step, column: i32, i: i32, count: i32, rowBytes: usize): usize {
  return s.weight + <usize>(column + min(i, count - 1)) * rowBytes;
}

function dotsF32(s: Step, x: usize, column: i32, count: i32): v128 {
  const rowBytes = strideOf(s.width) << 2;
  let w0 = weightRow(s, column, 0, count, rowBytes);
  let w1 = weightRow(s, column, 1, count, rowBytes);
  let w2 = weightRow(s, column, 2, count, rowBytes);
  let w3 = weightRow(s, column, 3, count, rowBytes);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = x + rowBytes; x < end; x += 32, w0 += 32, w1 += 32, w2 += 32, w3 += 32) {
    const low = v128.load(x);
    a0 = madd(low, v128.load(w0), a0);
    a1 = madd(low, v128.load(w1), a1);
    a2 = madd(low, v128.load(w2), a2);
    a3 = madd(low, v128.load(w3), a3);
    const high = v128.load(x, 16);
    a0 = madd(high, v128.load(w0, 16), a0);
    a1 = madd(high, v128.load(w1, 16), a1);
    a2 = madd(high, v128.load(w2, 16), a2);
    a3 = madd(high, v128.load(w3, 16), a3);
  }
  return sums(a0, a1, a2, a3);
}

function dotsF16(s: Step, x: usize, column: i32, count: i32): v128 {
  const rowBytes = strideOf(s.width) << 1;
  let w0 = weightRow(s, column, 0, count, rowBytes);
  let w1 = weightRow(s, column, 1, count, rowBytes);
  let w2 = weightRow(s, column, 2, count, rowBytes);
  let w3 = weightRow(s, column, 3, count, rowBytes);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  for (const end = x + (rowBytes << 1); x < end; x += 32, w0 += 16, w1 += 16, w2 += 16, w3 += 16) {
    const low = v128.load(x);
    a0 = madd(low, half4(v128.load_ext<i16>(w0)), a0);
    a1 = madd(low, half4(v128.load_ext<i16>(w1)), a1);
    a2 = madd(low, half4(v128.load_ext<i16>(w2)), a2);
    a3 = madd(low, half4(v128.load_ext<i16>(w3)), a3);
    const high = v128.load(x, 16);
    a0 = madd(high, half4(v128.load_ext<i16>(w0, 8)), a0);
    a1 = madd(high, half4(v128.load_ext<i16>(w1, 8)), a1);
    a2 = madd(high, half4(v128.load_ext<i16>(w2, 8)), a2);
    a3 = madd(high, half4(v128.load_ext<i16>(w3, 8)), a3);
  }
  return sums(a0, a1, a2, a3);
}

/** The largest value of a block in digits. */
const DIGITS: f32 = 536870912; // 2^29

/**
 * Writes x in digits: for each block of 32, 32 int16 high ones and 32 int16 low ones. q4 keeps the weights of a group of
 * eight as low and high nibbles of four bytes, so its digits are in that order: the first four of each group, then the others.
 */
function digits(x: usize, stride: usize, inOrder: bool, to: usize, scales: usize): void {
  const step: usize = inOrder ? 16 : 32; // from the four values of a lane to those of the next
  const second: usize = inOrder ? 64 : 16; // from the first sixteen to the others
  for (const end = x + (stride << 2); x < end; x += 128, to += 128, scales += 4) {
    let most = f32x4.splat(0);
    for (let i: usize = 0; i < 128; i += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + i)));
    const top = largest(most);
    store<f32>(scales, top / DIGITS);
    const factor = f32x4.splat(top > 0 ? DIGITS / top : 0);
    for (let i: usize = 0; i < 64; i += 16) {
      const from = x + (i >= 32 ? second : 0) + ((i >> 4) & 1) * (step << 1);
      const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), factor)));
      const b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from + step), factor)));
      const round = i32x4.splat(1 << 14);
      const highA = i32x4.shr_s(i32x4.add(a, round), 15);
      const highB = i32x4.shr_s(i32x4.add(b, round), 15);
      v128.store(to + i, i16x8.narrow_i32x4_s(highA, highB));
      const lowA = i32x4.sub(a, i32x4.shl(highA, 15));
      const lowB = i32x4.sub(b, i32x4.shl(highB, 15));
      v128.store(to + i, i16x8.narrow_i32x4_s(lowA, lowB), 64);
    }
  }
}

/** Two products of x with weight rows of q8 or q4, in the first two lanes. */
function dotsQuantised(s: Step, x: usize, xScales: usize, column: i32, count: i32, factors: usize): v128 {
  const stride = strideOf(s.width);
  const rowBytes = s.format == Q8 ? stride : stride >> 1;
  const w0 = weightRow(s, column, 0, count, rowBytes);
  const w1 = weightRow(s, column, 1, count, rowBytes);
  const blocks = stride >> 5;
  const halves = s.scales + ((<usize>column * blocks) << 1);
  const other = count > 1 ? blocks << 1 : 0;
  // [blocks, 2]
  for (let b: usize = 0; b < blocks; b += 4) {
    const xs = v128.load(xScales + (b << 2));
    const f0 = f32x4.mul(xs, half4(v128.load_ext<i16>(halves + (b << 1))));
    const f1 = f32x4.mul(xs, half4(v128.load_ext<i16>(halves + other + (b << 1))));
    v128.store(factors + (b << 3), v128.shuffle<f32>(f0, f1, 0, 4, 1, 5));
    v128.store(factors + (b << 3), v128.shuffle<f32>(f0, f1, 2, 6, 3, 7), 16);
  }
  return s.format == Q8 ? dotsQ8(x, w0, w1, blocks, factors) : dotsQ4(x, w0, w1, blocks, factors);
}

/** Adds a block's products: (high * 2^15 + low) * factor. */
function scaled(high: v128, low: v128, factor: usize, to: v128): v128 {
  const whole = madd(f32x4.convert_i32x4_s(high), f32x4.splat(32768), f32x4.convert_i32x4_s(low));
  return madd(whole, v128.load_splat<f32>(factor), to);
}

function dotsQ8(x: usize, w0: usize, w1: usize, blocks: usize, factors: usize): v128 {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  for (const end = x + (blocks << 7); x < end; x += 128, w0 += 32, w1 += 32, factors += 8) {
    let v0 = v128.load_ext<i8>(w0);
    let v1 = v128.load_ext<i8>(w1);
    let high = v128.load(x);
    let low = v128.load(x, 64);
    let h0 = i32x4.dot_i16x8_s(v0, high);
    let h1 = i32x4.dot_i16x8_s(v1, high);
    let l0 = i32x4.dot_i16x8_s(v0, low);
    let l1 = i32x4.dot_i16x8_s(v1, low);
    v0 = v128.load_ext<i8>(w0, 8);
    v1 = v128.load_ext<i8>(w1, 8);
    high = v128.load(x, 16);
    low = v128.load(x, 80);
    h0 = i32x4.add(h0, i32x4.dot_i16x8_s(v0, high));
    h1 = i32x4.add(h1, i32x4.dot_i16x8_s(v1, high));
    l0 = i32x4.add(l0, i32x4.dot_i16x8_s(v0, low));
    l1 = i32x4.add(l1, i32x4.dot_i16x8_s(v1, low));
    v0 = v128.load_ext<i8>(w0, 16);
    v1 = v128.load_ext<i8>(w1, 16);
    high = v128.load(x, 32);
    low = v128.load(x, 96);
    h0 = i32x4.add(h0, i32x4.dot_i16x8_s(v0, high));
    h1 = i32x4.add(h1, i32x4.dot_i16x8_s(v1, high));
    l0 = i32x4.add(l0, i32x4.dot_i16x8_s(v0, low));
    l1 = i32x4.add(l1, i32x4.dot_i16x8_s(v1, low));
    v0 = v128.load_ext<i8>(w0, 24);
    v1 = v128.load_ext<i8>(w1, 24);
    high = v128.load(x, 48);
    low = v128.load(x, 112);
    h0 = i32x4.add(h0, i32x4.dot_i16x8_s(v0, high));
    h1 = i32x4.add(h1, i32x4.dot_i16x8_s(v1, high));
    l0 = i32x4.add(l0, i32x4.dot_i16x8_s(v0, low));
    l1 = i32x4.add(l1, i32x4.dot_i16x8_s(v1, low));
    a0 = scaled(h0, l0, factors, a0);
    a1 = scaled(h1, l1, factors + 4, a1);
  }
  return sums(a0, a1, a0, a1);
}

function dotsQ4(x: usize, w0: usize, w1: usize, blocks: usize, factors: usize): v128 {
  const mask = i8x16.splat(15);
  const eight = i8x16.splat(8);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  for (const end = x + (blocks << 7); x < end; x += 128, w0 += 16, w1 += 16, factors += 8) {
    const b0 = v128.load(w0);
    const b1 = v128.load(w1);
    let n0 = i8x16.sub(v128.and(b0, mask), eight);
    let n1 = i8x16.sub(v128.and(b1, mask), eight);
    let v0 = i16x8.extend_low_i8x16_s(n0);
    let v1 = i16x8.extend_low_i8x16_s(n1);
    let high = v128.load(x);
    let low = v128.load(x, 64);
    let h0 = i32x4.dot_i16x8_s(v0, high);
    let h1 = i32x4.dot_i16x8_s(v1, high);
    let l0 = i32x4.dot_i16x8_s(v0, low);
    let l1 = i32x4.dot_i16x8_s(v1, low);
    v0 = i16x8.extend_high_i8x16_s(n0);
    v1 = i16x8.extend_high_i8x16_s(n1);
    high = v128.load(x, 16);
    low = v128.load(x, 80);
    h0 = i32x4.add(h0, i32x4.dot_i16x8_s(v0, high));
    h1 = i32x4.add(h1, i32x4.dot_i16x8_s(v1, high));
    l0 = i32x4.add(l0, i32x4.dot_i16x8_s(v0, low));
    l1 = i32x4.add(l1, i32x4.dot_i16x8_s(v1, low));
    n0 = i8x16.sub(i8x16.shr_u(b0, 4), eight);
    n1 = i8x16.sub(i8x16.shr_u(b1, 4), eight);
    v0 = i16x8.extend_low_i8x16_s(n0);
    v1 = i16x8.extend_low_i8x16_s(n1);
    high = v128.load(x, 32);
    low = v128.load(x, 96);
    h0 = i32x4.add(h0, i32x4.dot_i16x8_s(v0, high));
    h1 = i32x4.add(h1, i32x4.dot_i16x8_s(v1, high));
    l0 = i32x4.add(l0, i32x4.dot_i16x8_s(v0, low));
    l1 = i32x4.add(l1, i32x4.dot_i16x8_s(v1, low));
    v0 = i16x8.extend_high_i8x16_s(n0);
    v1 = i16x8.extend_high_i8x16_s(n1);
    high = v128.load(x, 48);
    low = v128.load(x, 112);
    h0 = i32x4.add(h0, i32x4.dot_i16x8_s(v0, high));
    h1 = i32x4.add(h1, i32x4.dot_i16x8_s(v1, high));
    l0 = i32x4.add(l0, i32x4.dot_i16x8_s(v0, low));
    l1 = i32x4.add(l1, i32x4.dot_i16x8_s(v1, low));
    a0 = scaled(h0, l0, factors, a0);
    a1 = scaled(h1, l1, factors + 4, a1);
  }
  return sums(a0, a1, a0, a1);
}
