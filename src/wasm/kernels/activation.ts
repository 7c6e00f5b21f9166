import { erf4, exp4 } from './simd';
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
        f32x4.add(f32x4.splat(1), erf4(f32x4.mul(x, f32x4.splat(0.70710678118654752)))),
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
