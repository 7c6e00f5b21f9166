import { digits4, half4, largest, NIBBLES, number, sumInt } from './simd';
import { Format, panelOf, Table } from './step';

/**
 * Products with weights of q8 and q4 are of integers. Rows of x are written, block by block of 32, as a float scale times digits,
 * so that the products of a block are exact. There are two ways, by what the processor has:
 *
 * - i16: digits of 15 bits, weights widened to 16, two products a lane (pmaddwd);
 * - i8: two digits of 7 bits, four products a lane (vpdpbusd, sdot). Relaxed SIMD defines these products for 0 .. 127 alone, so
 *   the digits are those of x + 8192, and sums begin with what that adds too much.
 *
 * A panel of x is [blocks, 16, rows] words of digits, each block with the scales of its rows behind it. Weights lie in panels of
 * eight rows, [words, 8], their scales in [blocks, 8]: a word is two weights of q8, or eight of q4.
 */
const LARGEST_I16: f32 = 32767;
const LARGEST_I8: f32 = 8191;

/** Bytes of a block of a row: 16 words of digits, the scale and, of i16, -8 times the sum of the digits. */
export const ROW_BLOCK: usize = 72;

/** Bytes of a block of an open panel of weights: numbers, scales and, of i8, what the sums begin with. */
function openBlock<T>(): usize {
  return sizeof<T>() == 2 ? 544 : 320;
}

/** Writes a row as the i-th of a panel of so many. */
export function packDigits<T>(x: usize, blocks: i32, i: i32, rows: i32, isQ4: bool, to: usize): void {
  const apart = (<usize>rows) << 2;
  to += i << 2;
  for (let b = 0; b < blocks; b++, to += ROW_BLOCK * rows) {
    let most = f32x4.splat(0);
    for (let k: usize = 0; k < 128; k += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + k)));
    const top = largest(most);
    const digits = sizeof<T>() == 2 ? LARGEST_I16 : LARGEST_I8;
    store<f32>(to + 16 * apart, top / digits);
    const factor = f32x4.splat(top > 0 ? digits / top : 0);
    let at = to;
    if (sizeof<T>() == 2) {
      const ones = i16x8.splat(1);
      let sum = i32x4.splat(0);
      for (const end = x + 128; x < end; x += 32, at += 4 * apart) {
        const eight = i16x8.narrow_i32x4_s(digits4(x, factor), digits4(x + 16, factor));
        sum = i32x4.add(sum, i32x4.dot_i16x8_s(eight, ones));
        // The nibbles of a word come in this order by shifts.
        storeWords(isQ4 ? v128.shuffle<i16>(eight, eight, 0, 2, 4, 6, 1, 3, 5, 7) : eight, at, apart);
      }
      store<i32>(to + 17 * apart, -8 * sumInt(sum));
    } else {
      const offset = i16x8.splat(8192);
      const low = i16x8.splat(127);
      for (const end = x + 128; x < end; x += 64, at += 4 * apart) {
        const a = i16x8.add(i16x8.narrow_i32x4_s(digits4(x, factor), digits4(x + 16, factor)), offset);
        const b = i16x8.add(i16x8.narrow_i32x4_s(digits4(x + 32, factor), digits4(x + 48, factor)), offset);
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

/** Where the numbers of the panel that row `r` lies in begin, and its scales. */
export function numbersAt(table: Table, r: i32, width: i32): usize {
  return table.weight + (panelOf(r, width) >> (table.format == Format.q8 ? 0 : 1));
}

export function scalesAt(table: Table, r: i32, width: i32): usize {
  return table.scales + (panelOf(r, width) >> 4);
}

/** Opens a panel: numbers as tiles multiply them, scales as floats. */
export function openPanel<T>(isQ8: bool, w: usize, scales: usize, blocks: i32, to: usize): void {
  const nibble = number(NIBBLES);
  for (; blocks > 0; blocks--, w += isQ8 ? 256 : 128, scales += 16, to += openBlock<T>()) {
    if (sizeof<T>() == 2) {
      if (isQ8) widenPairs(w, to);
      else widenNibbles(w, nibble, to);
    } else {
      if (isQ8) openFours(w, to);
      else openNibbles(w, nibble, to);
    }
    const floats = to + (sizeof<T>() == 2 ? 512 : 256);
    v128.store(floats, half4(v128.load_ext<i16>(scales)));
    v128.store(floats, half4(v128.load_ext<i16>(scales, 8)), 16);
  }
}

function widenPairs(w: usize, to: usize): void {
  for (const end = w + 256; w < end; w += 32, to += 64) {
    v128.store(to, v128.load_ext<i8>(w));
    v128.store(to, v128.load_ext<i8>(w, 8), 16);
    v128.store(to, v128.load_ext<i8>(w, 16), 32);
    v128.store(to, v128.load_ext<i8>(w, 24), 48);
  }
}

/** Words of eight nibbles, which are weights plus 8. */
function widenNibbles(w: usize, nibble: v128, to: usize): void {
  const eight = i16x8.shl(i16x8.shr_u(nibble, 3), 3);
  for (const end = w + 128; w < end; w += 32, to += 128) {
    widenWords(v128.load(w), nibble, eight, to);
    widenWords(v128.load(w, 16), nibble, eight, to + 16);
  }
}

function widenWords(words: v128, nibble: v128, eight: v128, to: usize): void {
  v128.store(to, i16x8.sub(v128.and(words, nibble), eight));
  v128.store(to, i16x8.sub(v128.and(i16x8.shr_u(words, 4), nibble), eight), 32);
  v128.store(to, i16x8.sub(v128.and(i16x8.shr_u(words, 8), nibble), eight), 64);
  v128.store(to, i16x8.sub(i16x8.shr_u(words, 12), eight), 96);
}

function openFours(w: usize, to: usize): void {
  let low = i32x4.splat(0);
  let high = low;
  const end = w + 256;
  for (let at = to; w < end; w += 32, at += 32) {
    const a = v128.load(w);
    const b = v128.load(w, 16);
    low = i32x4.add(low, openFour(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), at));
    high = i32x4.add(high, openFour(v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), at + 16));
  }
  v128.store(to, i32x4.mul(low, i32x4.splat(-64)), 288);
  v128.store(to, i32x4.mul(high, i32x4.splat(-64)), 304);
}

function openNibbles(w: usize, nibble: v128, to: usize): void {
  const mask = v128.or(nibble, i16x8.shl(nibble, 8));
  const eight = i8x16.shl(i8x16.shr_u(mask, 3), 3);
  let low = i32x4.splat(0);
  let high = low;
  const end = w + 128;
  for (let at = to; w < end; w += 32, at += 64) {
    const a = v128.load(w);
    const b = v128.load(w, 16);
    low = i32x4.add(low, openFour(i8x16.sub(v128.and(a, mask), eight), at));
    high = i32x4.add(high, openFour(i8x16.sub(v128.and(b, mask), eight), at + 16));
    low = i32x4.add(low, openFour(i8x16.sub(v128.and(i16x8.shr_u(a, 4), mask), eight), at + 32));
    high = i32x4.add(high, openFour(i8x16.sub(v128.and(i16x8.shr_u(b, 4), mask), eight), at + 48));
  }
  v128.store(to, i32x4.mul(low, i32x4.splat(-64)), 288);
  v128.store(to, i32x4.mul(high, i32x4.splat(-64)), 304);
}

/** Gives the sums of four weights of each of four rows. */
function openFour(weights: v128, to: usize): v128 {
  v128.store(to, weights);
  return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(weights));
}
