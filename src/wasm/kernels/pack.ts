/**
 * Packs float32 weights into the formats of src/plan/formats.ts, bit for bit as packRows there does: a module of its own, for every
 * device. What is rounded there in float64 is so here.
 */

/** The weights of a block share a scale. */
const BLOCK: i32 = 32;

/** Bits of the halves nearest to four floats, ties to even, as halfFromFloat has them. */
function halves4(value: v128): v128 {
  const magnitude = v128.and(value, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const rounded = i32x4.add(i32x4.add(magnitude, i32x4.splat(0x0fff - 0x38000000)), odd);
  const small = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const isNan = i32x4.gt_s(magnitude, i32x4.splat(0x7f800000));
  const large = v128.bitselect(i32x4.splat(0x7e00), i32x4.splat(0x7c00), isNan);
  let bits = v128.bitselect(small, i32x4.shr_u(rounded, 13), i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  bits = v128.bitselect(large, bits, i32x4.ge_s(magnitude, i32x4.splat(0x47800000)));
  return v128.or(bits, v128.and(i32x4.shr_u(value, 16), i32x4.splat(0x8000)));
}

function halfOf(value: f32): i32 {
  return i32x4.extract_lane(halves4(f32x4.splat(value)), 0);
}

/** Of a finite half: with its bits in the float's places it is 2^-112 of itself. */
function floatOf(half: i32): f32 {
  return reinterpret<f32>((((half << 16) >> 16) << 13) & 0x8fffe000) * 5.192296858534828e33;
}

export function f16(from: usize, count: i32, to: usize): void {
  for (let i = 0; i < count; i += 8, from += 32, to += 16) {
    v128.store(to, i16x8.narrow_i32x4_u(halves4(v128.load(from)), halves4(v128.load(from, 16))));
  }
}

/** Bits of the nearest bfloat16s, ties to even. */
function brains4(bits: v128): v128 {
  const odd = v128.and(i32x4.shr_u(bits, 16), i32x4.splat(1));
  return i32x4.shr_u(i32x4.add(i32x4.add(bits, i32x4.splat(0x7fff)), odd), 16);
}

export function bf16(from: usize, count: i32, to: usize): void {
  for (let i = 0; i < count; i += 8, from += 32, to += 16) {
    v128.store(to, i16x8.narrow_i32x4_u(brains4(v128.load(from)), brains4(v128.load(from, 16))));
  }
}

/** Four floats times a factor and plus an offset in float64, cut to whole numbers. */
function steps4(from: usize, factor: v128, offset: v128): v128 {
  const weights = v128.load(from);
  const low = f64x2.mul(f64x2.promote_low_f32x4(weights), factor);
  const high = f64x2.mul(f64x2.promote_low_f32x4(v128.shuffle<i64>(weights, weights, 1, 0)), factor);
  return v128.shuffle<i64>(
    i32x4.trunc_sat_f64x2_s_zero(f64x2.add(low, offset)),
    i32x4.trunc_sat_f64x2_s_zero(f64x2.add(high, offset)),
    0,
    2,
  );
}

/** Magnitudes are in the order of their bits, which processors compare in one instruction. */
function largestOf(from: usize): f32 {
  let most = f32x4.splat(0);
  for (let i = 0; i < BLOCK * 4; i += 16) most = i32x4.max_s(most, f32x4.abs(v128.load(from + i)));
  most = i32x4.max_s(most, v128.shuffle<i64>(most, most, 1, 0));
  return max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
}

/** A block in steps of its scale, rounded in float32: false where a weight is so near to a tie that float64 may round it otherwise. */
function roundBlock(from: usize, inverse: f32, values: usize): bool {
  const factor = f32x4.splat(inverse);
  const round = f32x4.splat(12582912); // added to a float below 2^22 it leaves the nearest whole number in the lowest bits
  let apart = f32x4.splat(0);
  for (const end = from + BLOCK * 4; from < end; from += 32, values += 8) {
    const a = f32x4.mul(v128.load(from), factor);
    const b = f32x4.mul(v128.load(from, 16), factor);
    const wholeA = f32x4.add(a, round);
    const wholeB = f32x4.add(b, round);
    apart = i32x4.max_s(apart, f32x4.abs(f32x4.sub(a, f32x4.sub(wholeA, round))));
    apart = i32x4.max_s(apart, f32x4.abs(f32x4.sub(b, f32x4.sub(wholeB, round))));
    const words = i16x8.narrow_i32x4_s(i32x4.sub(wholeA, round), i32x4.sub(wholeB, round));
    v128.store_lane<u64>(values, i8x16.max_s(i8x16.narrow_i16x8_s(words, words), i8x16.splat(-127)), 0);
  }
  return !v128.any_true(f32x4.gt(apart, f32x4.splat(0.4999))); // float32 is off by 3e-5 at most
}

export function q8(from: usize, count: i32, values: usize, scales: usize): void {
  for (let b = 0; b < count; b += BLOCK, from += BLOCK * 4, values += BLOCK, scales += 2) {
    const half = halfOf(largestOf(from) / 127);
    store<u16>(scales, half);
    const scale = <f64>floatOf(half);
    if (scale == 0) memory.fill(values, 0, BLOCK);
    else if (!roundBlock(from, <f32>(1 / scale), values)) {
      for (let i = 0; i < BLOCK; i++) {
        const steps = <f64>load<f32>(from + (i << 2)) * (1 / scale) + 128.5;
        store<i8>(values + i, <i32>min(max(steps, 1), 255) - 128);
      }
    }
  }
}

/** The weight of largest magnitude in a block, the first of several. */
function extremeOf(from: usize): f32 {
  const most = largestOf(from);
  let at = from;
  while (abs(load<f32>(at)) != most) at += 4;
  return load<f32>(at);
}

/** What the least squares of two ways to round have come to: products w q and squares q q. */
let products: v128 = f64x2.splat(0);
let squares: v128 = f64x2.splat(0);

function tryTwo(from: usize, inverse: v128): void {
  let wq = f64x2.splat(0);
  let qq = f64x2.splat(0);
  for (let i = 0; i < BLOCK; i++) {
    const weight = f64x2.splat(<f64>load<f32>(from + (i << 2)));
    const nibble = f64x2.trunc(f64x2.add(f64x2.mul(weight, inverse), f64x2.splat(8.5)));
    const q = f64x2.sub(f64x2.min(nibble, f64x2.splat(15)), f64x2.splat(8));
    wq = f64x2.add(wq, f64x2.mul(weight, q));
    qq = f64x2.add(qq, f64x2.mul(q, q));
  }
  products = wq;
  squares = qq;
}

let best: f64 = 0;
let scaleOfBest: f64 = 0;

function judge(wq: f64, qq: f64): void {
  if (wq * wq <= best * qq) return;
  best = (wq * wq) / qq;
  scaleOfBest = wq / qq;
}

/** The scale of a block, of the five ways that scaleQ4 of formats.ts tries, two at a time. */
function scaleQ4(from: usize): f64 {
  const most = <f64>extremeOf(from);
  best = 0;
  scaleOfBest = 0;
  if (most == 0) return 0;
  tryTwo(from, f64x2(-8 / most, 7 / most));
  judge(f64x2.extract_lane(products, 0), f64x2.extract_lane(squares, 0));
  judge(f64x2.extract_lane(products, 1), f64x2.extract_lane(squares, 1));
  tryTwo(from, f64x2(-7 / most, -8.6 / most));
  judge(f64x2.extract_lane(products, 0), f64x2.extract_lane(squares, 0));
  judge(f64x2.extract_lane(products, 1), f64x2.extract_lane(squares, 1));
  tryTwo(from, f64x2.splat(-7.6 / most));
  judge(f64x2.extract_lane(products, 0), f64x2.extract_lane(squares, 0));
  return scaleOfBest;
}

function nibbles4(steps: v128): v128 {
  return i32x4.max_s(i32x4.min_s(steps, i32x4.splat(15)), i32x4.splat(0));
}

export function q4(from: usize, count: i32, values: usize, scales: usize): void {
  const offset = f64x2.splat(8.5);
  for (let b = 0; b < count; b += BLOCK, from += BLOCK * 4, values += BLOCK / 2, scales += 2) {
    const half = halfOf(<f32>scaleQ4(from));
    store<u16>(scales, half);
    const scale = <f64>floatOf(half);
    if (scale == 0) {
      memory.fill(values, 0x88, BLOCK / 2);
      continue;
    }
    const inverse = f64x2.splat(1 / scale);
    for (let i: usize = 0; i < 4; i++) {
      const low = nibbles4(steps4(from + i * 32, inverse, offset));
      const high = nibbles4(steps4(from + i * 32 + 16, inverse, offset));
      const bytes = v128.or(low, i32x4.shl(high, 4));
      const words = i16x8.narrow_i32x4_u(bytes, bytes);
      store<i32>(values + i * 4, i32x4.extract_lane(i8x16.narrow_i16x8_u(words, words), 0));
    }
  }
}
