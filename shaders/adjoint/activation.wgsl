// output = grad * the activation's derivative at input
override STRIDE: u32;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read> input: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

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
    case 3: {
      return select(0.0, 1.0, x > 0);
    }
    case 4: {
      let s = 1 / (1 + exp(-x));
      return s * (1 + x * (1 - s));
    }
    case 5: {
      let t = tanh(clamp(x, -10, 10));
      return 1 - t * t;
    }
    default: {
      return 1;
    }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= STRIDE || id.y >= rowCount()) {
    return;
  }
  let i = id.y * STRIDE + id.x;
  output[i] = grad[i] * slope(input[i]);
}
