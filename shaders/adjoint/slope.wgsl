// The derivative of the activation function, in front of the kernels that multiply by it.
fn slope(x: f32) -> f32 {
  switch ACTIVATION {
    case 1: {
      let t = tanh(clamp(0.7978845608 * (x + 0.044715 * x * x * x), -10, 10));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608 * (1 + 0.134145 * x * x);
    }
    case 2: {
      // Beyond 12 exp may overflow to nothing on the way, and the density is 0 anyway.
      let near = clamp(x, -12, 12);
      return 0.5 * (1 + erf(x * 0.7071067812)) + near * exp(-0.5 * near * near) * 0.3989422804;
    }
    case 3: { return select(0.0, 1.0, x > 0); }
    case 4: {
      let s = 1 / (1 + exp(min(-x, 80)));
      return s * (1 + x * (1 - s));
    }
    case 5: {
      let t = tanh(clamp(x, -10, 10));
      return 1 - t * t;
    }
    default: { return 1; }
  }
}
