import { half4, madd, NIBBLES, number } from './simd';

/**
 * Rows of a tile of products of integers (digits.ts) of eight columns: of i16 five, as a sixth would need more registers than there are, of i8
 * six. Tiles of four rows take what is left over.
 */
export function rowsOfTile<T>(): i32 {
  return sizeof<T>() == 2 ? 5 : 6;
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

/** Eight weights of a panel, four pairs: an open one's, or as i8 those of q8. */
function pairs<W>(w: usize): v128 {
  return sizeof<W>() == 2 ? v128.load(w) : v128.load_ext<i8>(w);
}

/**
 * y [5 or 4, 8] = Σ over blocks of the scales times the products of pairs, with an open panel or, as W = i8, with one of q8 as it lies.
 * A tile of R = i64 is the larger one, of i32 that of four rows.
 */
function tileOfPairs<W, R>(x: usize, w: usize, scales: usize, blocks: i32, y: usize): void {
  const row: usize = sizeof<R>() == 8 ? 20 : 16;
  for (; blocks > 0; blocks--, scales += 16) {
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
    for (const end = w + 256 * sizeof<W>(); w < end; w += 16 * sizeof<W>(), x += row) {
      const w0 = pairs<W>(w);
      const w1 = pairs<W>(w + 8 * sizeof<W>());
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
      if (sizeof<R>() == 8) {
        p = v128.load_splat<u32>(x, 16);
        e0 = i32x4.add(e0, i32x4.dot_i16x8_s(p, w0));
        e1 = i32x4.add(e1, i32x4.dot_i16x8_s(p, w1));
      }
    }
    const s0 = sizeof<W>() == 2 ? v128.load(w) : half4(v128.load_ext<i16>(scales));
    const s1 = sizeof<W>() == 2 ? v128.load(w, 16) : half4(v128.load_ext<i16>(scales, 8));
    addScaled(x, s0, s1, y, a0, a1);
    addScaled(x + 4, s0, s1, y + 32, b0, b1);
    addScaled(x + 8, s0, s1, y + 64, c0, c1);
    addScaled(x + 12, s0, s1, y + 96, d0, d1);
    if (sizeof<R>() == 8) addScaled(x + 16, s0, s1, y + 128, e0, e1);
    x += 2 * row;
    if (sizeof<W>() == 2) w += 32;
  }
}

export function tileOfFivePairs(x: usize, w: usize, blocks: i32, y: usize): void {
  tileOfPairs<i16, i64>(x, w, 0, blocks, y);
}

export function tileOfFiveQ8(x: usize, w: usize, scales: usize, blocks: i32, y: usize): void {
  tileOfPairs<i8, i64>(x, w, scales, blocks, y);
}

export function tileOfFourPairs(x: usize, w: usize, blocks: i32, y: usize): void {
  tileOfPairs<i16, i32>(x, w, 0, blocks, y);
}

export function tileOfFourQ8(x: usize, w: usize, scales: usize, blocks: i32, y: usize): void {
  tileOfPairs<i8, i32>(x, w, scales, blocks, y);
}

/** Adds a block's products of a row, times its scale and those of the weights. */
function addScaled(scale: usize, s0: v128, s1: v128, y: usize, low: v128, high: v128): void {
  const factor = v128.load_splat<f32>(scale);
  v128.store(y, madd(f32x4.mul(factor, s0), f32x4.convert_i32x4_s(low), v128.load(y)));
  v128.store(y, madd(f32x4.mul(factor, s1), f32x4.convert_i32x4_s(high), v128.load(y, 16)), 16);
}

function dot(digits: v128, weights: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(weights, digits, sum);
}

/** y [6 or 4, 8], by R as above, = Σ over blocks of the scales times the products of fours, of the high digits and then of the low ones. */
function tileOfFours<R>(x: usize, w: usize, blocks: i32, y: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const row: usize = sizeof<R>() == 8 ? 24 : 16;
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
      for (const end = w + 256; w < end; w += 32, x += row) {
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
        if (sizeof<R>() == 8) {
          p = v128.load_splat<u32>(x, 16);
          e0 = dot(p, w0, e0);
          e1 = dot(p, w1, e1);
          p = v128.load_splat<u32>(x, 20);
          f0 = dot(p, w0, f0);
          f1 = dot(p, w1, f1);
        }
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
    const s0 = v128.load(w);
    const s1 = v128.load(w, 16);
    addScaled(x, s0, s1, y, a0, a1);
    addScaled(x + 4, s0, s1, y + 32, b0, b1);
    addScaled(x + 8, s0, s1, y + 64, c0, c1);
    addScaled(x + 12, s0, s1, y + 96, d0, d1);
    if (sizeof<R>() == 8) {
      addScaled(x + 16, s0, s1, y + 128, e0, e1);
      addScaled(x + 20, s0, s1, y + 160, f0, f1);
    }
    x += 2 * row;
    w += 64;
  }
}

export function tileOfSixFours(x: usize, w: usize, blocks: i32, y: usize): void {
  tileOfFours<i64>(x, w, blocks, y);
}

export function tileOfFourFours(x: usize, w: usize, blocks: i32, y: usize): void {
  tileOfFours<i32>(x, w, blocks, y);
}

/**
 * y [8] = Σ over blocks of the scales times the products of a row of pairs with a panel of q8 or, as u8, of q4, whose nibbles are
 * weights plus 8.
 */
function rowOfPairs<W>(x: usize, w: usize, scales: usize, blocks: i32, y: usize): void {
  const nibble = number(NIBBLES);
  let y0 = f32x4.splat(0);
  let y1 = y0;
  for (; blocks > 0; blocks--, x += 8, scales += 16) {
    let a0 = isSigned<W>() ? i32x4.splat(0) : v128.load_splat<u32>(x, 68);
    let a1 = a0;
    let b0 = i32x4.splat(0);
    let b1 = b0;
    if (isSigned<W>()) {
      for (const end = x + 64; x < end; x += 8, w += 32) {
        let p = v128.load_splat<u32>(x);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(p, v128.load_ext<i8>(w)));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(p, v128.load_ext<i8>(w, 8)));
        p = v128.load_splat<u32>(x, 4);
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(p, v128.load_ext<i8>(w, 16)));
        b1 = i32x4.add(b1, i32x4.dot_i16x8_s(p, v128.load_ext<i8>(w, 24)));
      }
    } else {
      for (const end = x + 64; x < end; x += 16, w += 32) {
        const low = v128.load(w);
        const high = v128.load(w, 16);
        let p = v128.load_splat<u32>(x);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(p, v128.and(low, nibble)));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(p, v128.and(high, nibble)));
        p = v128.load_splat<u32>(x, 4);
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(p, v128.and(i16x8.shr_u(low, 4), nibble)));
        b1 = i32x4.add(b1, i32x4.dot_i16x8_s(p, v128.and(i16x8.shr_u(high, 4), nibble)));
        p = v128.load_splat<u32>(x, 8);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(p, v128.and(i16x8.shr_u(low, 8), nibble)));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(p, v128.and(i16x8.shr_u(high, 8), nibble)));
        p = v128.load_splat<u32>(x, 12);
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(p, i16x8.shr_u(low, 12)));
        b1 = i32x4.add(b1, i32x4.dot_i16x8_s(p, i16x8.shr_u(high, 12)));
      }
    }
    const factor = v128.load_splat<f32>(x);
    const first = f32x4.mul(factor, half4(v128.load_ext<i16>(scales)));
    const second = f32x4.mul(factor, half4(v128.load_ext<i16>(scales, 8)));
    y0 = madd(first, f32x4.convert_i32x4_s(i32x4.add(a0, b0)), y0);
    y1 = madd(second, f32x4.convert_i32x4_s(i32x4.add(a1, b1)), y1);
  }
  v128.store(y, y0);
  v128.store(y, y1, 16);
}

export function rowOfPairsQ8(x: usize, w: usize, scales: usize, blocks: i32, y: usize): void {
  rowOfPairs<i8>(x, w, scales, blocks, y);
}

export function rowOfPairsQ4(x: usize, w: usize, scales: usize, blocks: i32, y: usize): void {
  rowOfPairs<u8>(x, w, scales, blocks, y);
}
