import { madd } from './simd';

/**
 * Products of two matrices by tiles of 6 by 8 sums: these fill twelve registers, two more hold a panel's eight values and one
 * a value of the other. In panels [depth, 6] and [depth, 8] the innermost loop reads forward only.
 */
export const SIX = 6;
export const EIGHT = 8;

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

/** Four of the eight columns of a panel [depth, 8], of four rows of floats; writes whole vectors of the depth. */
export function packFour(x0: usize, x1: usize, x2: usize, x3: usize, depth: i32, to: usize): void {
  for (const end = x0 + ((<usize>depth) << 2); x0 < end; x0 += 16, x1 += 16, x2 += 16, x3 += 16, to += 128) {
    const a = v128.load(x0);
    const b = v128.load(x1);
    const c = v128.load(x2);
    const d = v128.load(x3);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
    v128.store(to, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7), 32);
    v128.store(to, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5), 64);
    v128.store(to, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7), 96);
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
