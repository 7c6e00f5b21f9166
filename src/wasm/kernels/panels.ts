import { brain4, half4, madd } from './simd';
import { Format } from './step';

/**
 * Products of two matrices by tiles of 6 by 8 sums: these fill twelve registers, two more hold a panel's eight values and one
 * a value of the other. In panels [depth, 6] and [depth, 8] the innermost loop reads forward only. Tiles of 4 by 8 take what
 * rows are left over.
 */
export const FOUR = 4;
export const SIX = 6;
export const EIGHT = 8;

/** The i-th and the following three of the eight weights at `at`: f32 or, as u16, of bf16, as i16, of f16. */
export function load4<T>(at: usize): v128 {
  if (isFloat<T>()) return v128.load(at);
  return isSigned<T>() ? half4(v128.load_ext<i16>(at)) : brain4(v128.load_ext<u16>(at));
}

/** [depth, 6] of six rows of floats; writes whole vectors of the depth. */
export function packSix(x0: usize, x1: usize, x2: usize, x3: usize, x4: usize, x5: usize, depth: i32, to: usize): void {
  for (const end = x0 + ((<usize>depth) << 2); x0 < end; x0 += 16, x1 += 16, x2 += 16, x3 += 16, x4 += 16, x5 += 16) {
    const a = v128.load(x0);
    const b = v128.load(x1);
    const c = v128.load(x2);
    const d = v128.load(x3);
    const e = v128.load(x4);
    const f = v128.load(x5);
    let ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    let cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    let ef = v128.shuffle<f32>(e, f, 0, 4, 1, 5);
    v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
    v128.store(to, v128.shuffle<f32>(ef, ab, 0, 1, 6, 7), 16);
    v128.store(to, v128.shuffle<f32>(cd, ef, 2, 3, 6, 7), 32);
    ab = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    cd = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    ef = v128.shuffle<f32>(e, f, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), 48);
    v128.store(to, v128.shuffle<f32>(ef, ab, 0, 1, 6, 7), 64);
    v128.store(to, v128.shuffle<f32>(cd, ef, 2, 3, 6, 7), 80);
    to += 96;
  }
}

/** Four columns of a panel whose steps of the depth are `apart` bytes from each other, of four rows of floats; writes whole vectors of the depth. */
export function packFour(x0: usize, x1: usize, x2: usize, x3: usize, depth: i32, to: usize, apart: usize = 32): void {
  for (const end = x0 + ((<usize>depth) << 2); x0 < end; x0 += 16, x1 += 16, x2 += 16, x3 += 16, to += apart << 2) {
    const a = v128.load(x0);
    const b = v128.load(x1);
    const c = v128.load(x2);
    const d = v128.load(x3);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
    v128.store(to + apart, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
    v128.store(to + (apart << 1), v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5));
    v128.store(to + 3 * apart, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7));
  }
}

/**
 * y [6, 8] = Σ over the depth of six values, `bytes` apart from the next six, times a panel's eight. A step of the depth at a
 * time, in a function of its own: with more, engines keep sums in memory.
 */
export function tile(six: usize, bytes: usize, eight: usize, depth: i32, y: usize): void {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  let c0 = a0;
  let c1 = a0;
  let d0 = a0;
  let d1 = a0;
  let e0 = a0;
  let e1 = a0;
  let f0 = a0;
  let f1 = a0;
  for (const end = eight + <usize>depth * EIGHT * 4; eight < end; eight += EIGHT * 4, six += bytes) {
    const w0 = v128.load(eight);
    const w1 = v128.load(eight, 16);
    let p = v128.load_splat<f32>(six);
    a0 = madd(p, w0, a0);
    a1 = madd(p, w1, a1);
    p = v128.load_splat<f32>(six, 4);
    b0 = madd(p, w0, b0);
    b1 = madd(p, w1, b1);
    p = v128.load_splat<f32>(six, 8);
    c0 = madd(p, w0, c0);
    c1 = madd(p, w1, c1);
    p = v128.load_splat<f32>(six, 12);
    d0 = madd(p, w0, d0);
    d1 = madd(p, w1, d1);
    p = v128.load_splat<f32>(six, 16);
    e0 = madd(p, w0, e0);
    e1 = madd(p, w1, e1);
    p = v128.load_splat<f32>(six, 20);
    f0 = madd(p, w0, f0);
    f1 = madd(p, w1, f1);
  }
  v128.store(y, a0);
  v128.store(y, a1, 16);
  v128.store(y, b0, 32);
  v128.store(y, b1, 48);
  v128.store(y, c0, 64);
  v128.store(y, c1, 80);
  v128.store(y, d0, 96);
  v128.store(y, d1, 112);
  v128.store(y, e0, 128);
  v128.store(y, e1, 144);
  v128.store(y, f0, 160);
  v128.store(y, f1, 176);
}

/** y [4, 8] = Σ over the depth of four values times a panel's eight */
export function tileOfFour(four: usize, eight: usize, depth: i32, y: usize): void {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  let c0 = a0;
  let c1 = a0;
  let d0 = a0;
  let d1 = a0;
  for (const end = four + ((<usize>depth) << 4); four < end; four += 16, eight += EIGHT * 4) {
    const w0 = v128.load(eight);
    const w1 = v128.load(eight, 16);
    let p = v128.load_splat<f32>(four);
    a0 = madd(p, w0, a0);
    a1 = madd(p, w1, a1);
    p = v128.load_splat<f32>(four, 4);
    b0 = madd(p, w0, b0);
    b1 = madd(p, w1, b1);
    p = v128.load_splat<f32>(four, 8);
    c0 = madd(p, w0, c0);
    c1 = madd(p, w1, c1);
    p = v128.load_splat<f32>(four, 12);
    d0 = madd(p, w0, d0);
    d1 = madd(p, w1, d1);
  }
  v128.store(y, a0);
  v128.store(y, a1, 16);
  v128.store(y, b0, 32);
  v128.store(y, b1, 48);
  v128.store(y, c0, 64);
  v128.store(y, c1, 80);
  v128.store(y, d0, 96);
  v128.store(y, d1, 112);
}

/** y [8] = Σ over the depth, a multiple of four, of one value times the eight weights of a panel of T. */
function tileOfOne<T>(x: usize, eight: usize, depth: i32, y: usize): void {
  const half = 4 * sizeof<T>();
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  let c0 = a0;
  let c1 = a0;
  let d0 = a0;
  let d1 = a0;
  for (const end = x + ((<usize>depth) << 2); x < end; x += 16, eight += 8 * half) {
    let p = v128.load_splat<f32>(x);
    a0 = madd(p, load4<T>(eight), a0);
    a1 = madd(p, load4<T>(eight + half), a1);
    p = v128.load_splat<f32>(x, 4);
    b0 = madd(p, load4<T>(eight + 2 * half), b0);
    b1 = madd(p, load4<T>(eight + 3 * half), b1);
    p = v128.load_splat<f32>(x, 8);
    c0 = madd(p, load4<T>(eight + 4 * half), c0);
    c1 = madd(p, load4<T>(eight + 5 * half), c1);
    p = v128.load_splat<f32>(x, 12);
    d0 = madd(p, load4<T>(eight + 6 * half), d0);
    d1 = madd(p, load4<T>(eight + 7 * half), d1);
  }
  v128.store(y, f32x4.add(f32x4.add(a0, b0), f32x4.add(c0, d0)));
  v128.store(y, f32x4.add(f32x4.add(a1, b1), f32x4.add(c1, d1)), 16);
}

export function tileOfOneF32(x: usize, eight: usize, depth: i32, y: usize): void {
  tileOfOne<f32>(x, eight, depth, y);
}

export function tileOfOneF16(x: usize, eight: usize, depth: i32, y: usize): void {
  tileOfOne<i16>(x, eight, depth, y);
}

export function tileOfOneBf16(x: usize, eight: usize, depth: i32, y: usize): void {
  tileOfOne<u16>(x, eight, depth, y);
}

/** A panel of T as one of floats. */
export function widen<T>(from: usize, depth: i32, to: usize): void {
  for (const end = to + <usize>depth * EIGHT * 4; to < end; to += 32, from += 16) {
    v128.store(to, load4<T>(from));
    v128.store(to, load4<T>(from + 8), 16);
  }
}

/** Rows of a matrix in its format, [8 * groups, stride], become panels [groups, words, 8] in their place; `free` has room for eight rows. */
export function panels(at: usize, groups: i32, stride: i32, format: i32, free: usize): void {
  const areWide = format == Format.f32 || format == Format.q4; // words of 32 bits, or of 16
  const words = format < Format.q8 ? stride : format == Format.q8 ? stride >> 1 : stride >> 3;
  const row = (<usize>words) << (areWide ? 2 : 1);
  for (const end = at + <usize>groups * 8 * row; at < end; at += 8 * row) {
    memory.copy(free, at, 8 * row);
    if (areWide) {
      packFour(free, free + row, free + 2 * row, free + 3 * row, words, at);
      const next = free + 4 * row;
      packFour(next, next + row, next + 2 * row, next + 3 * row, words, at + 16);
      continue;
    }
    for (let i: usize = 0, to = at; i < row; i += 16, to += 128) turnEight(free + i, row, to);
  }
}

/** The same of the scales, [8 * groups, blocks] halves. */
export function scalePanels(at: usize, groups: i32, blocks: i32, free: usize): void {
  const row = (<usize>blocks) << 1;
  for (const end = at + <usize>groups * 8 * row; at < end; at += 8 * row) {
    memory.copy(free, at, 8 * row);
    for (let r: usize = 0; r < 8; r++) {
      for (let b: usize = 0; b < row; b += 2) store<u16>(at + (b << 3) + (r << 1), load<u16>(free + r * row + b));
    }
  }
}

/** Eight by eight numbers of 16 bits turned: rows `apart` bytes from each other, to 16. */
function turnEight(from: usize, apart: usize, to: usize): void {
  const next = from + 4 * apart;
  turnFour(v128.load(from), v128.load(from + apart), v128.load(from + 2 * apart), v128.load(from + 3 * apart), to);
  turnFour(v128.load(next), v128.load(next + apart), v128.load(next + 2 * apart), v128.load(next + 3 * apart), to + 8);
}

function turnFour(a: v128, b: v128, c: v128, d: v128, to: usize): void {
  const ab = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const cd = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
  storeHalves(v128.shuffle<i32>(ab, cd, 0, 4, 1, 5), v128.shuffle<i32>(ab, cd, 2, 6, 3, 7), to);
  const ab2 = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  const cd2 = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15);
  storeHalves(v128.shuffle<i32>(ab2, cd2, 0, 4, 1, 5), v128.shuffle<i32>(ab2, cd2, 2, 6, 3, 7), to + 64);
}

function storeHalves(a: v128, b: v128, to: usize): void {
  v128.store_lane<u64>(to, a, 0);
  v128.store_lane<u64>(to + 16, a, 1);
  v128.store_lane<u64>(to + 32, b, 0);
  v128.store_lane<u64>(to + 48, b, 1);
}
