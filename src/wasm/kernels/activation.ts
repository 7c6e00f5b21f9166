import { exp4, madd } from './simd';
import { Activation } from './step';

const SQRT_2_OVER_PI: f32 = 0.7978845608028654;

export function activate(kind: i32, x: v128): v128 {
  switch (kind) {
    case Activation.gelu_new: {
      // 0.5 x (1 + tanh u) = x / (1 + e^-2u)
      const cube = f32x4.mul(f32x4.mul(x, x), f32x4.mul(x, f32x4.splat(0.044715)));
      return logistic(x, f32x4.mul(f32x4.add(x, cube), f32x4.splat(2 * SQRT_2_OVER_PI)));
    }
    case Activation.gelu:
      return f32x4.mul(
        f32x4.mul(x, f32x4.splat(0.5)),
        f32x4.add(f32x4.splat(1), erf(f32x4.mul(x, f32x4.splat(0.70710678118654752)))),
      );
    case Activation.relu:
      return f32x4.max(x, f32x4.splat(0));
    case Activation.silu:
      return logistic(x, x);
    case Activation.tanh:
      return f32x4.sub(logistic(f32x4.splat(2), f32x4.add(x, x)), f32x4.splat(1));
    default:
      return x;
  }
}

/** x / (1 + e^-y) */
function logistic(x: v128, y: v128): v128 {
  return f32x4.div(x, f32x4.add(f32x4.splat(1), exp4(f32x4.neg(y))));
}

/** erf as a quotient of polynomials up to 4, fitted by least squares: absolute error below 4e-7. Beyond it is 1 in float32. */
function erf(x: v128): v128 {
  const c = f32x4.min(f32x4.max(x, f32x4.splat(-4)), f32x4.splat(4));
  const t = f32x4.mul(c, c);
  let p = madd(t, f32x4.splat(1.9748326388617452e-6), f32x4.splat(0.00028804175202118117));
  p = madd(t, p, f32x4.splat(0.004003648453864666));
  p = madd(t, p, f32x4.splat(0.05346748341374457));
  p = madd(t, p, f32x4.splat(0.19624900143653656));
  p = madd(t, p, f32x4.splat(1.128378976413958));
  let q = madd(t, f32x4.splat(3.748090803474089e-5), f32x4.splat(0.0012163611291013086));
  q = madd(t, q, f32x4.splat(0.015444425449839583));
  q = madd(t, q, f32x4.splat(0.11647643871062853));
  q = madd(t, q, f32x4.splat(0.5072523078666978));
  q = madd(t, q, f32x4.splat(1));
  const one = v128.bitselect(x, f32x4.splat(1), i32x4.splat(0x80000000)); // with the sign of x
  return v128.bitselect(one, f32x4.div(f32x4.mul(c, p), q), f32x4.gt(f32x4.abs(x), f32x4.splat(4)));
}
