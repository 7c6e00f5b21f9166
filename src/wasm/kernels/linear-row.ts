import {
  column,
  columns,
  finish,
  finishPanel,
  inputRow,
  panelAt,
  panelIn,
  takeColumns,
  totalColumns,
  touchWeights,
} from './linear';
import { normalize } from './norm';
import { EIGHT, FOUR, packFour, tileOfFour, tileOfOneBf16, tileOfOneF16, tileOfOneF32 } from './panels';
import { digits4, half4, largest, madd, sumInt, sums } from './simd';
import { Batch, Format, rowsOf, Step, strideOf, Table } from './step';
import { threadCount } from './threads';

/**
 * y = x weightᵀ for few rows, as in decoding: bound by reading the weights. Each thread first makes the rows of x ready for
 * itself, which is cheaper than a barrier.
 */
export function linearRow(s: Step, batch: Batch, scratch: usize): void {
  if (changetype<Table>(s.tables).format < Format.q8) rowsOfFloats(s, batch, scratch);
  else rowsOfIntegers(s, batch, scratch);
}

/** Weights in panels of eight rows, which are read one behind the other in one stream. */
function rowsOfFloats(s: Step, batch: Batch, y: usize): void {
  const rows = rowsOf(s, batch);
  const bytes = strideOf(s.width) << 2;
  const normed = y + FOUR * EIGHT * 4;
  const four = normed + FOUR * bytes; // [depth, 4]
  const wide = four + FOUR * bytes; // a panel of floats
  for (let r = 0; s.normWeight && r < rows; r++) {
    zeroEnd(normed + bytes * r, s.width, strideOf(s.width));
    normalize(s, inputRow(s, batch, r), 0, normed + bytes * r);
  }
  const x = s.normWeight ? normed : inputRow(s, batch, 0);
  const depth = (s.width + 3) & ~3;
  if (rows > 1) {
    const x1 = s.normWeight ? normed + bytes : inputRow(s, batch, 1);
    const x2 = s.normWeight ? normed + bytes * min(2, rows - 1) : inputRow(s, batch, min(2, rows - 1));
    const x3 = s.normWeight ? normed + bytes * (rows - 1) : inputRow(s, batch, rows - 1);
    packFour(x, x1, x2, x3, depth, four, FOUR * 4);
  }
  const format = changetype<Table>(s.tables).format;
  const most = max(EIGHT, min(256, (totalColumns(s) / (threadCount() * 8 * s.partCount)) & ~(EIGHT - 1)));
  while (takeColumns(s, most, 1)) {
    for (let c = -(column & (EIGHT - 1)); c < columns; c += EIGHT) {
      if (rows > 1) tileOfFour(four, panelAt(s, column + c, depth, wide), depth, y);
      else if (format == Format.f32) tileOfOneF32(x, panelIn(s, column + c), depth, y);
      else if (format == Format.bf16) tileOfOneBf16(x, panelIn(s, column + c), depth, y);
      else tileOfOneF16(x, panelIn(s, column + c), depth, y);
      finishPanel(s, batch, 0, rows, c, y);
    }
  }
}

/**
 * Against q8 and q4 weights x is written, block by block, as a float scale times integers of 15 bits: integer products
 * (pmaddwd and its like) are then exact, and what x is rounded by is a 128th of what the weights were.
 */
function rowsOfIntegers(s: Step, batch: Batch, scratch: usize): void {
  const rows = rowsOf(s, batch);
  const format = changetype<Table>(s.tables).format;
  const stride = strideOf(s.width);
  const bytes = stride << 2;
  const normed = scratch + bytes * rows;
  const scales = normed + bytes; // of the digits, [rows, stride / 32]
  const factors = scales + ((stride * rows) >> 3); // scale of x times scale of the weight, for four rows of weights
  for (let r = 0; r < rows; r++) {
    let x = inputRow(s, batch, r);
    if (s.normWeight) {
      zeroEnd(normed, s.width, stride);
      normalize(s, x, 0, normed);
      x = normed;
    }
    digits(x, stride, format == Format.q8, scratch + bytes * r, scales + ((stride * r) >> 3));
  }

  const most = max(8, min(256, (totalColumns(s) / (threadCount() * 8 * s.partCount)) & ~3));
  while (takeColumns(s, most, 1)) {
    for (let c = 0; c < columns; c += 4) {
      const count = min(4, columns - c);
      touchWeights(s, column + c, count, factors);
      for (let r = 0; r < rows; r++) {
        const x = scratch + bytes * r;
        const xScales = scales + ((stride * r) >> 3);
        const y =
          format == Format.q8
            ? dotsOfBlocks<i8>(s, x, xScales, column + c, count, factors)
            : dotsOfBlocks<u8>(s, x, xScales, column + c, count, factors);
        finish(s, batch, r, c, count, y);
      }
    }
  }
}

function zeroEnd(x: usize, width: i32, stride: usize): void {
  if (<usize>width < stride) memory.fill(x + ((<usize>width) << 2), 0, (stride - width) << 2);
}

/** Address of weight row `column + i`; the last of the `count` rows stands in for those beyond. */
function weightRow(s: Step, column: i32, i: i32, count: i32, rowBytes: usize): usize {
  return changetype<Table>(s.tables).weight + <usize>(column + min(i, count - 1)) * rowBytes;
}

/** The largest value of a block in digits. */
const DIGITS: f32 = 32767;

/**
 * Writes x in digits: 32 int16 for each block of 32, and their scales. For q4, whose nibbles are weights plus 8, also -8 times
 * the sum of each block, as floats behind all digits.
 */
function digits(x: usize, stride: usize, isQ8: bool, to: usize, scales: usize): void {
  let offsets = to + (stride << 1);
  for (const end = x + (stride << 2); x < end; x += 128, to += 64, scales += 4, offsets += 4) {
    let most = f32x4.splat(0);
    for (let i: usize = 0; i < 128; i += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + i)));
    const top = largest(most);
    store<f32>(scales, top / DIGITS);
    const factor = f32x4.splat(top > 0 ? DIGITS / top : 0);
    if (isQ8) {
      for (let i: usize = 0; i < 64; i += 16) {
        v128.store(to + i, i16x8.narrow_i32x4_s(digits4(x + (i << 1), factor), digits4(x + (i << 1) + 16, factor)));
      }
    } else {
      store<f32>(offsets, -8 * <f32>(nibbleOrder(x, factor, to) + nibbleOrder(x + 16, factor, to + 16)));
    }
  }
}

/**
 * A group of eight weights in q4 is four bytes: low nibbles for the first four, high ones for the others. Read as 16-bit
 * numbers, their lowest nibbles belong to the first and third value of a group, their third nibbles to the second and fourth.
 * Of four groups, writes the digits of the first and third value of each half, and 32 bytes further those of the second and
 * fourth; gives their sum.
 */
function nibbleOrder(x: usize, factor: v128, to: usize): i32 {
  const a = digits4(x, factor);
  const b = digits4(x + 32, factor);
  const c = digits4(x + 64, factor);
  const d = digits4(x + 96, factor);
  const even = i16x8.narrow_i32x4_s(v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(c, d, 0, 2, 4, 6));
  const odd = i16x8.narrow_i32x4_s(v128.shuffle<i32>(a, b, 1, 3, 5, 7), v128.shuffle<i32>(c, d, 1, 3, 5, 7));
  v128.store(to, even);
  v128.store(to + 32, odd);
  return sumInt(i32x4.add(i32x4.add(a, b), i32x4.add(c, d)));
}

/** Four products of x with weight rows of q8 or, as u8, of q4. */
function dotsOfBlocks<T>(s: Step, x: usize, xScales: usize, column: i32, count: i32, factors: usize): v128 {
  const stride = strideOf(s.width);
  const next: usize = isSigned<T>() ? 32 : 16;
  const blocks = stride >> 5;
  let w0 = weightRow(s, column, 0, count, next * blocks);
  let w1 = weightRow(s, column, 1, count, next * blocks);
  let w2 = weightRow(s, column, 2, count, next * blocks);
  let w3 = weightRow(s, column, 3, count, next * blocks);
  multiplyScales(s, xScales, column, count, factors);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let all = a0; // of q4, -8 times the sums of x, for each of the rows
  let offsets = x + (blocks << 6);
  for (const end = offsets; x < end; x += 64, factors += 16, w0 += next, w1 += next, w2 += next, w3 += next) {
    const x0 = v128.load(x);
    const x1 = v128.load(x, 16);
    const x2 = v128.load(x, 32);
    const x3 = v128.load(x, 48);
    a0 = scaled(block<T>(w0, x0, x1, x2, x3), factors, a0);
    a1 = scaled(block<T>(w1, x0, x1, x2, x3), factors + 4, a1);
    a2 = scaled(block<T>(w2, x0, x1, x2, x3), factors + 8, a2);
    a3 = scaled(block<T>(w3, x0, x1, x2, x3), factors + 12, a3);
    if (!isSigned<T>()) {
      all = madd(v128.load(factors), v128.load_splat<f32>(offsets), all);
      offsets += 4;
    }
  }
  const y = sums(a0, a1, a2, a3);
  return isSigned<T>() ? y : f32x4.add(y, all);
}

/** factors [blocks, 4] = scale of x times scale of the weight; rows end with whole pairs of blocks */
function multiplyScales(s: Step, xScales: usize, column: i32, count: i32, factors: usize): void {
  const blocks = strideOf(s.width) >> 5;
  const halves = changetype<Table>(s.tables).scales + ((<usize>column * blocks) << 1);
  const next1 = <usize>min(1, count - 1) * (blocks << 1);
  const next2 = <usize>min(2, count - 1) * (blocks << 1);
  const next3 = <usize>min(3, count - 1) * (blocks << 1);
  for (let b: usize = 0; b < blocks; b += 2) {
    const xs = v128.load_splat<u64>(xScales + (b << 2));
    const half = halves + (b << 1);
    const f01 = f32x4.mul(xs, half4(pair(half, half + next1)));
    const f23 = f32x4.mul(xs, half4(pair(half + next2, half + next3)));
    v128.store(factors + (b << 4), v128.shuffle<f32>(f01, f23, 0, 2, 4, 6));
    v128.store(factors + (b << 4), v128.shuffle<f32>(f01, f23, 1, 3, 5, 7), 16);
  }
}

/** Two scales of a row and two of another, each in a lane of its own. */
function pair(a: usize, b: usize): v128 {
  const low = v128.load_zero<u32>(a);
  return i32x4.extend_low_i16x8_s(v128.load_lane<u32>(b, low, 1));
}

/** Adds a block's products, times their scale. */
function scaled(products: v128, factor: usize, to: v128): v128 {
  return madd(f32x4.convert_i32x4_s(products), v128.load_splat<f32>(factor), to);
}

/** The products of 32 weights. */
function block<T>(w: usize, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  if (!isSigned<T>()) return nibbles(w, x0, x1, x2, x3);
  const first = i32x4.add(i32x4.dot_i16x8_s(v128.load_ext<i8>(w), x0), i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 8), x1));
  const second = i32x4.add(
    i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 16), x2),
    i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 24), x3),
  );
  return i32x4.add(first, second);
}

function nibbles(w: usize, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  const all = v128.load(w);
  const nibble = i16x8.splat(15);
  const first = i32x4.add(
    i32x4.dot_i16x8_s(v128.and(all, nibble), x0),
    i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(all, 4), nibble), x1),
  );
  const second = i32x4.add(
    i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(all, 8), nibble), x2),
    i32x4.dot_i16x8_s(i16x8.shr_u(all, 12), x3),
  );
  return i32x4.add(first, second);
}
