// The activation function, in front of the kernels that apply one.
override ACTIVATION: u32 = 0; // 0 none, 1 gelu_new, 2 gelu, 3 relu, 4 silu, 5 tanh

fn activate(x: f32) -> f32 {
  switch ACTIVATION {
    case 1: {
      // Hendrycks & Gimpel 2016, the tanh form. Some drivers' tanh overflows; beyond 10 it is 1 in float32.
      return 0.5 * x * (1 + tanh(clamp(0.7978845608 * (x + 0.044715 * x * x * x), -10, 10)));
    }
    case 2: { return 0.5 * x * (1 + erf(x * 0.7071067812)); }
    case 3: { return max(x, 0); }
    case 4: {
      // Of an exp that overflows drivers may make anything.
      return x / (1 + exp(min(-x, 80)));
    }
    case 5: { return tanh(clamp(x, -10, 10)); }
    default: { return x; }
  }
}

// Abramowitz & Stegun 7.1.26, absolute error below 1.5e-7.
fn erf(x: f32) -> f32 {
  let t = 1 / (1 + 0.3275911 * abs(x));
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1 - p * exp(-x * x));
}
