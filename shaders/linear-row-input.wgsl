// What both row kernels share: a row of x, normed on the way in where a LayerNorm is fused, times a row of weights.
override K: u32; // inputs
override NORM: bool;
override EPSILON: f32;
override NORM_AT: u32; // of the norm's weight in `vectors`, in vec4s
override SELECT: bool; // rows are the logit rows
override WEIGHT_ROW: u32; // first row used of the part of the weight that is bound
@group(0) @binding(3) var<storage, read> x: array<vec4f>;

struct Statistics {
  mean: f32,
  factor: f32, // 1 / sqrt(variance + epsilon)
}

// Four inputs, those past the row's end replaced by `pad`.
fn inputs(start: u32, k4: u32, pad: f32) -> vec4f {
  let k = vec4u(k4 * 4) + vec4u(0, 1, 2, 3);
  return select(vec4f(pad), x[start + k4], k < vec4u(K));
}

fn input16(start: u32, unit: u32, s: Statistics) -> mat4x4f {
  let at = unit * 4;
  let raw = mat4x4f(x[start + at], x[start + at + 1], x[start + at + 2], x[start + at + 3]);
  if (!NORM) {
    return raw;
  }
  return mat4x4f(normed(raw[0], at, s), normed(raw[1], at + 1, s), normed(raw[2], at + 2, s), normed(raw[3], at + 3, s));
}

fn normed(value: vec4f, at: u32, s: Statistics) -> vec4f {
  return (value - s.mean) * s.factor * vectors[NORM_AT + at] + vectors[NORM_AT + ROW_UNITS * 4 + at];
}

fn product(row: u32, unit: u32, x: mat4x4f) -> f32 {
  let w = weights16(row, unit);
  return scale16(row, unit) * (dot(w[0], x[0]) + dot(w[1], x[1]) + dot(w[2], x[2]) + dot(w[3], x[3]));
}
