import { erf4, exp4, GELU, GELU_NEW, madd, number } from './simd';
import { Activation } from './step';

export function activate(kind: i32, x: v128): v128 {
  switch (kind) {
    case Activation.gelu_new:
      // 0.5 x (1 + tanh u) = x / (1 + e^-2u)
      return logistic(x, f32x4.mul(x, madd(f32x4.mul(x, x), number(GELU_NEW + 1), number(GELU_NEW))));
    case Activation.gelu: {
      const half = f32x4.mul(x, number(GELU));
      return madd(half, erf4(f32x4.mul(x, number(GELU + 1))), half);
    }
    case Activation.relu:
      return f32x4.max(x, f32x4.splat(0));
    case Activation.silu:
      return logistic(x, f32x4.neg(x));
    case Activation.tanh:
      return f32x4.sub(logistic(f32x4.splat(2), f32x4.mul(x, f32x4.splat(-2))), f32x4.splat(1));
    default:
      return x;
  }
}

/** x / (1 + e^y) */
function logistic(x: v128, y: v128): v128 {
  return f32x4.div(x, f32x4.add(number(11), exp4(y)));
}
