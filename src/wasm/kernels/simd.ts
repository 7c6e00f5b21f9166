/** Vector arithmetic that WebAssembly has no instruction for. */

/** a * b + c, fused where relaxed SIMD is there. */
export function madd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? v128.relaxed_madd<f32>(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** The sums of the lanes of four vectors, as one vector. */
export function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

export function sum(a: v128): f32 {
  return f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 1) + (f32x4.extract_lane(a, 2) + f32x4.extract_lane(a, 3));
}

export function sumInt(a: v128): i32 {
  return i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + (i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 3));
}

export function largest(a: v128): f32 {
  return max(
    max(f32x4.extract_lane(a, 0), f32x4.extract_lane(a, 1)),
    max(f32x4.extract_lane(a, 2), f32x4.extract_lane(a, 3)),
  );
}

/**
 * Halves, sign-extended to 32 bits, as floats: with its bits in the float's places a half is 2^-112 of itself, the
 * subnormal ones too.
 */
export function half4(bits: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(bits, 13), number(24)), number(25));
}

/** Bits of bfloat16 in 32 bits as floats, whose upper half they are. */
export function brain4(bits: v128): v128 {
  return i32x4.shl(bits, 16);
}

export function half(address: usize): f32 {
  return reinterpret<f32>((load<i16>(address) << 13) & 0x8fffe000) * 5.192296858534828e33;
}

/** Four floats times a factor, rounded to whole numbers. */
export function digits4(x: usize, factor: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x), factor)));
}

/**
 * Numbers of polynomials, in memory: engines build a constant vector anew wherever it is used, in up to six instructions,
 * while one that is read is one instruction.
 */
const NUMBERS: usize = 512;
const SQRT_2_OVER_PI: f32 = 0.7978845608028654;

/** All threads write the same ones. */
export function writeNumbers(): void {
  let to = NUMBERS;
  // erf, numerator and denominator, from the highest power down
  to = write6(
    to,
    1.9748326388617452e-6,
    0.00028804175202118117,
    0.004003648453864666,
    0.05346748341374457,
    0.19624900143653656,
    1.128378976413958,
  );
  to = write6(
    to,
    3.748090803474089e-5,
    0.0012163611291013086,
    0.015444425449839583,
    0.11647643871062853,
    0.5072523078666978,
    1,
  );
  // e^x: 1 / ln 2, ln 2 in two parts, where a sum is rounded to whole numbers, the ends; then the polynomial (Moshier's Cephes, expf)
  to = write6(to, 1.44269504088896341, -0.693359375, 2.1219444e-4, 12582912, -87.3, 88);
  to = write6(to, 1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1);
  // of halves: the bits that are left, as a float, and 2^112; of q4: the lowest nibbles of numbers of 16 bits
  store<i32>(to, 0x8fffe000);
  store<f32>(to, 5.192296858534828e33, 4);
  store<i32>(to, 0x000f000f, 8);
  // of activations: gelu's, where erf ends, gelu_new's; the bit of the sign
  to = write6(to + 12, 0.5, 0.70710678118654752, 4, -4, -2 * SQRT_2_OVER_PI, -2 * SQRT_2_OVER_PI * 0.044715);
  store<i32>(to, 0x80000000);
}

function write6(to: usize, a: f32, b: f32, c: f32, d: f32, e: f32, f: f32): usize {
  store<f32>(to, a);
  store<f32>(to, b, 4);
  store<f32>(to, c, 8);
  store<f32>(to, d, 12);
  store<f32>(to, e, 16);
  store<f32>(to, f, 20);
  return to + 24;
}

/** Which of them the lowest nibbles of numbers of 16 bits are, and those of activations. */
export const NIBBLES: i32 = 26;
export const GELU: i32 = 27;
export const GELU_NEW: i32 = 31;

export function number(i: i32): v128 {
  return v128.load_splat<f32>(NUMBERS + (i << 2));
}

/** The polynomial of six numbers from the i-th on. */
function polynomial(i: i32, x: v128): v128 {
  let sum = madd(x, number(i), number(i + 1));
  sum = madd(x, sum, number(i + 2));
  sum = madd(x, sum, number(i + 3));
  sum = madd(x, sum, number(i + 4));
  return madd(x, sum, number(i + 5));
}

/** erf as a quotient of polynomials up to 4, fitted by least squares: absolute error below 4e-7. Beyond it is 1 in float32. */
export function erf4(x: v128): v128 {
  const c = f32x4.min(f32x4.max(x, number(30)), number(29));
  const t = f32x4.mul(c, c);
  const one = v128.bitselect(x, number(11), number(33)); // with the sign of x
  const inside = f32x4.div(f32x4.mul(c, polynomial(0, t)), polynomial(6, t));
  return v128.bitselect(one, inside, f32x4.gt(f32x4.abs(x), number(29)));
}

/** e^x to two units in the last place; 0 below -87.3. */
export function exp4(x: v128): v128 {
  const lowest = number(16);
  const clamped = f32x4.min(f32x4.max(x, lowest), number(17));
  // In a sum so large the last bit is a whole one.
  const rounded = madd(clamped, number(12), number(15));
  const n = f32x4.sub(rounded, number(15));
  const r = madd(n, number(14), madd(n, number(13), clamped));
  const y = f32x4.add(madd(f32x4.mul(r, r), polynomial(18, r), r), number(11));
  const power = i32x4.add(i32x4.shl(rounded, 23), number(11));
  return v128.andnot(f32x4.mul(y, power), f32x4.lt(x, lowest));
}
