import { digits4, half, largest, madd } from './simd';
import { Format, strideOf, Table } from './step';

/**
 * Tiles of integer products, for weights of q8 and q4. Rows of x are written, block by block of 32, as a float scale times
 * digits, so that the products of a block are exact. There are two ways, by what the processor has:
 *
 * - i16: digits of 15 bits, weights widened to 16, two products a lane (pmaddwd); tiles of 5 by 8, as a sixth row would need
 *   more registers than there are;
 * - i8: two digits of 7 bits, four products a lane (vpdpbusd, sdot); tiles of 6 by 8. Relaxed SIMD defines these products for
 *   0 .. 127 alone, so the digits are those of x + 8192, and sums begin with what that adds too much.
 *
 * A panel of x is [blocks, 16, rows] words of digits, each block with the scales of its rows behind it; one of weights has
 * eight columns where x has its rows.
 */
const LARGEST_I16: f32 = 32767;
const LARGEST_I8: f32 = 8191;

export function rowsOfTile<T>(): i32 {
  return sizeof<T>() == 2 ? 5 : 6;
}

/** Bytes of a block of a row: 16 words of digits and the scale. */
export const ROW_BLOCK: usize = 68;

/** Bytes of a block of eight weight rows: numbers, scales and, of i8, what the sums begin with. */
function weightBlock<T>(): usize {
  return sizeof<T>() == 2 ? 544 : 320;
}

/**
 * Whether i8 products are one instruction, and right: V8 11.3's first compiler has them wrong. Where they are made of several,
 * sums of two saturate at 16 bits if an operand is beyond 127; it comes from memory, so that no compiler computes with it.
 */
export function hasI8Products(at: usize): bool {
  if (!ASC_FEATURE_RELAXED_SIMD) return false;
  store<i32>(at, -1);
  const ones = v128.load_splat<u32>(at);
  const saturating = i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(127), ones, i32x4.splat(0));
  if (i32x4.extract_lane(saturating, 0) == 2 * 32767) return false;
  let weights = i8x16(-127, 3, 127, -90, 77, 0, -1, 45, 127, 127, -64, 19, -127, -127, 100, -5);
  let digits = v128.and(i8x16(127, 64, 1, 33, 90, 7, 127, 2, 127, 127, 11, 0, 127, 127, 50, 126), ones);
  let found = i32x4.splat(-8128);
  let expected = found;
  for (let i = 0; i < 4; i++) {
    found = i32x4.relaxed_dot_i8x16_i7x16_add_s(weights, digits, found);
    const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(weights), i16x8.extend_low_i8x16_s(digits));
    const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(weights), i16x8.extend_high_i8x16_s(digits));
    const even = v128.shuffle<i32>(low, high, 0, 2, 4, 6);
    expected = i32x4.add(expected, i32x4.add(even, v128.shuffle<i32>(low, high, 1, 3, 5, 7)));
    weights = v128.shuffle<i8>(weights, weights, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0);
  }
  return !v128.any_true(v128.xor(found, expected));
}

/** Writes a row as the i-th of a panel. */
export function packDigits<T>(x: usize, blocks: i32, i: i32, to: usize): void {
  const apart: usize = 4 * rowsOfTile<T>();
  to += i << 2;
  for (let b = 0; b < blocks; b++, to += ROW_BLOCK * rowsOfTile<T>()) {
    let most = f32x4.splat(0);
    for (let k: usize = 0; k < 128; k += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + k)));
    const top = largest(most);
    const digits = sizeof<T>() == 2 ? LARGEST_I16 : LARGEST_I8;
    store<f32>(to + 16 * apart, top / digits);
    const factor = f32x4.splat(top > 0 ? digits / top : 0);
    let at = to;
    if (sizeof<T>() == 2) {
      for (const end = x + 128; x < end; x += 32, at += 4 * apart) {
        const eight = i16x8.narrow_i32x4_s(digits4(x, factor), digits4(x + 16, factor));
        storeWords(v128.shuffle<i16>(eight, eight, 0, 2, 1, 3, 4, 6, 5, 7), at, apart);
      }
    } else {
      const offset = i16x8.splat(8192);
      for (const end = x + 128; x < end; x += 64, at += 4 * apart) {
        const a = i16x8.add(i16x8.narrow_i32x4_s(digits4(x, factor), digits4(x + 16, factor)), offset);
        const b = i16x8.add(i16x8.narrow_i32x4_s(digits4(x + 32, factor), digits4(x + 48, factor)), offset);
        const low = i16x8.splat(127);
        storeWords(i8x16.narrow_i16x8_u(i16x8.shr_u(a, 7), i16x8.shr_u(b, 7)), at, apart);
        storeWords(i8x16.narrow_i16x8_u(v128.and(a, low), v128.and(b, low)), at + 8 * apart, apart);
      }
    }
  }
}

function storeWords(words: v128, to: usize, apart: usize): void {
  v128.store_lane<u32>(to, words, 0);
  v128.store_lane<u32>(to + apart, words, 1);
  v128.store_lane<u32>(to + 2 * apart, words, 2);
  v128.store_lane<u32>(to + 3 * apart, words, 3);
}

/** A panel of weight rows first .. first + count; the last one stands in for those beyond. */
export function packWeights<T>(table: Table, first: i32, count: i32, width: i32, to: usize): void {
  const blocks = strideOf(width) >> 5;
  const isQ8 = table.format == Format.q8;
  const bytes: usize = isQ8 ? 32 : 16;
  for (let i = 0; i < 8; i += 4, to += 16) {
    let r0 = <usize>(first + min(i, count - 1)) * blocks;
    let r1 = <usize>(first + min(i + 1, count - 1)) * blocks;
    let r2 = <usize>(first + min(i + 2, count - 1)) * blocks;
    let r3 = <usize>(first + min(i + 3, count - 1)) * blocks;
    let at = to;
    for (const end = r0 + blocks; r0 < end; r0++, r1++, r2++, r3++, at += weightBlock<T>()) {
      const w = table.weight;
      let sum = packBlock<T>(isQ8, w + r0 * bytes, w + r1 * bytes, w + r2 * bytes, w + r3 * bytes, at);
      if (isQ8) {
        const more = sizeof<T>() == 2 ? at + 256 : at + 128;
        const next = w + 16;
        sum = i32x4.add(
          sum,
          packBlock<T>(isQ8, next + r0 * bytes, next + r1 * bytes, next + r2 * bytes, next + r3 * bytes, more),
        );
      }
      const scales = at + (sizeof<T>() == 2 ? 512 : 256);
      store<f32>(scales, half(table.scales + (r0 << 1)));
      store<f32>(scales, half(table.scales + (r1 << 1)), 4);
      store<f32>(scales, half(table.scales + (r2 << 1)), 8);
      store<f32>(scales, half(table.scales + (r3 << 1)), 12);
      if (sizeof<T>() == 1) v128.store(scales, i32x4.mul(sum, i32x4.splat(-64)), 32);
    }
  }
}

/** 16 bytes of each of four rows, a half of a block of q8 or a whole one of q4; gives the sums of their weights. */
function packBlock<T>(isQ8: bool, w0: usize, w1: usize, w2: usize, w3: usize, to: usize): v128 {
  const a = v128.load(w0);
  const b = v128.load(w1);
  const c = v128.load(w2);
  const d = v128.load(w3);
  let ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  let cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const first = v128.shuffle<i32>(ab, cd, 0, 1, 4, 5);
  const second = v128.shuffle<i32>(ab, cd, 2, 3, 6, 7);
  ab = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  cd = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  const third = v128.shuffle<i32>(ab, cd, 0, 1, 4, 5);
  const fourth = v128.shuffle<i32>(ab, cd, 2, 3, 6, 7);
  const word: usize = sizeof<T>() == 2 ? 64 : 32;
  if (isQ8) {
    const sums = i32x4.add(storeFours<T>(first, to), storeFours<T>(second, to + word));
    return i32x4.add(sums, i32x4.add(storeFours<T>(third, to + 2 * word), storeFours<T>(fourth, to + 3 * word)));
  }
  const sums = i32x4.add(storeNibbles<T>(first, to, word), storeNibbles<T>(second, to + 2 * word, word));
  const more = i32x4.add(storeNibbles<T>(third, to + 4 * word, word), storeNibbles<T>(fourth, to + 6 * word, word));
  return i32x4.add(sums, more);
}

/** Of each lane the weights in the low nibbles, then those in the high ones. */
function storeNibbles<T>(bytes: v128, to: usize, word: usize): v128 {
  const low = i8x16.sub(v128.and(bytes, i8x16.splat(15)), i8x16.splat(8));
  const high = i8x16.sub(i8x16.shr_u(bytes, 4), i8x16.splat(8));
  return i32x4.add(storeFours<T>(low, to), storeFours<T>(high, to + word));
}

/** Four weights of each of four rows: as i16 first and third, then second and fourth. Gives their sums, of i8. */
function storeFours<T>(bytes: v128, to: usize): v128 {
  if (sizeof<T>() == 2) {
    v128.store(to, i16x8.shr_s(i16x8.shl(bytes, 8), 8));
    v128.store(to, i16x8.shr_s(bytes, 8), 32);
    return bytes;
  }
  v128.store(to, bytes);
  return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(bytes));
}

/** y [5, 8] = Σ over blocks of the scales times the products of pairs. */
export function tileOfPairs(x: usize, w: usize, blocks: i32, y: usize): void {
  memory.fill(y, 0, 160);
  for (; blocks > 0; blocks--) {
    let a0 = i32x4.splat(0);
    let a1 = a0;
    let b0 = a0;
    let b1 = a0;
    let c0 = a0;
    let c1 = a0;
    let d0 = a0;
    let d1 = a0;
    let e0 = a0;
    let e1 = a0;
    for (const end = w + 512; w < end; w += 32, x += 20) {
      const w0 = v128.load(w);
      const w1 = v128.load(w, 16);
      let p = v128.load_splat<u32>(x);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(p, w0));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(p, w1));
      p = v128.load_splat<u32>(x, 4);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(p, w0));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(p, w1));
      p = v128.load_splat<u32>(x, 8);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(p, w0));
      c1 = i32x4.add(c1, i32x4.dot_i16x8_s(p, w1));
      p = v128.load_splat<u32>(x, 12);
      d0 = i32x4.add(d0, i32x4.dot_i16x8_s(p, w0));
      d1 = i32x4.add(d1, i32x4.dot_i16x8_s(p, w1));
      p = v128.load_splat<u32>(x, 16);
      e0 = i32x4.add(e0, i32x4.dot_i16x8_s(p, w0));
      e1 = i32x4.add(e1, i32x4.dot_i16x8_s(p, w1));
    }
    addScaled(x, w, y, a0, a1);
    addScaled(x + 4, w, y + 32, b0, b1);
    addScaled(x + 8, w, y + 64, c0, c1);
    addScaled(x + 12, w, y + 96, d0, d1);
    addScaled(x + 16, w, y + 128, e0, e1);
    x += 20;
    w += 32;
  }
}

/** Adds a block's products of a row, times its scale and those of the weights. */
function addScaled(scale: usize, scales: usize, y: usize, low: v128, high: v128): void {
  const factor = v128.load_splat<f32>(scale);
  v128.store(y, madd(f32x4.mul(factor, v128.load(scales)), f32x4.convert_i32x4_s(low), v128.load(y)));
  v128.store(y, madd(f32x4.mul(factor, v128.load(scales, 16)), f32x4.convert_i32x4_s(high), v128.load(y, 16)), 16);
}

function dot(digits: v128, weights: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(weights, digits, sum);
}

/** y [6, 8] = Σ over blocks of the scales times the products of fours, of the high digits and then of the low ones. */
export function tileOfFours(x: usize, w: usize, blocks: i32, y: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  memory.fill(y, 0, 192);
  for (; blocks > 0; blocks--) {
    let a0 = v128.load(w, 288);
    let a1 = v128.load(w, 304);
    let b0 = a0;
    let b1 = a1;
    let c0 = a0;
    let c1 = a1;
    let d0 = a0;
    let d1 = a1;
    let e0 = a0;
    let e1 = a1;
    let f0 = a0;
    let f1 = a1;
    for (let digit = 0; ; digit++) {
      for (const end = w + 256; w < end; w += 32, x += 24) {
        const w0 = v128.load(w);
        const w1 = v128.load(w, 16);
        let p = v128.load_splat<u32>(x);
        a0 = dot(p, w0, a0);
        a1 = dot(p, w1, a1);
        p = v128.load_splat<u32>(x, 4);
        b0 = dot(p, w0, b0);
        b1 = dot(p, w1, b1);
        p = v128.load_splat<u32>(x, 8);
        c0 = dot(p, w0, c0);
        c1 = dot(p, w1, c1);
        p = v128.load_splat<u32>(x, 12);
        d0 = dot(p, w0, d0);
        d1 = dot(p, w1, d1);
        p = v128.load_splat<u32>(x, 16);
        e0 = dot(p, w0, e0);
        e1 = dot(p, w1, e1);
        p = v128.load_splat<u32>(x, 20);
        f0 = dot(p, w0, f0);
        f1 = dot(p, w1, f1);
      }
      if (digit) break;
      w -= 256;
      a0 = i32x4.shl(a0, 7);
      a1 = i32x4.shl(a1, 7);
      b0 = i32x4.shl(b0, 7);
      b1 = i32x4.shl(b1, 7);
      c0 = i32x4.shl(c0, 7);
      c1 = i32x4.shl(c1, 7);
      d0 = i32x4.shl(d0, 7);
      d1 = i32x4.shl(d1, 7);
      e0 = i32x4.shl(e0, 7);
      e1 = i32x4.shl(e1, 7);
      f0 = i32x4.shl(f0, 7);
      f1 = i32x4.shl(f1, 7);
    }
    addScaled(x, w, y, a0, a1);
    addScaled(x + 4, w, y + 32, b0, b1);
    addScaled(x + 8, w, y + 64, c0, c1);
    addScaled(x + 12, w, y + 96, d0, d1);
    addScaled(x + 16, w, y + 128, e0, e1);
    addScaled(x + 20, w, y + 160, f0, f1);
    x += 24;
    w += 64;
  }
}
