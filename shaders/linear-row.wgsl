// output [1 row, out] = norm(x) weightᵀ, eight outputs an invocation, no barrier: for few rows.
// With NORM each invocation computes the row's mean and variance itself: it reads x once more for eight rows of weights.
override K: u32; // inputs
override NORM: bool;
override EPSILON: f32;
override NORM_AT: u32; // of the norm's weight in `vectors`, in vec4s
override WORKGROUP: u32 = 32;
override SELECT: bool; // rows are the logit rows
override WEIGHT_ROW: u32; // first row used of the part of the weight that is bound
@group(0) @binding(3) var<storage, read> x: array<vec4f>;

struct Statistics {
  mean: f32,
  factor: f32, // 1 / sqrt(variance + epsilon)
}

fn statistics(start: u32) -> Statistics {
  var sum = 0.0;
  for (var k = 0u; k < K / 4; k++) {
    sum += dot(x[start + k], vec4f(1));
  }
  for (var k = K / 4 * 4; k < K; k++) {
    sum += x[start + k / 4][k % 4];
  }
  let mean = sum / f32(K);
  var squares = 0.0;
  for (var k = 0u; k < K / 4; k++) {
    let d = x[start + k] - mean;
    squares += dot(d, d);
  }
  for (var k = K / 4 * 4; k < K; k++) {
    let d = x[start + k / 4][k % 4] - mean;
    squares += d * d;
  }
  return Statistics(mean, inverseSqrt(squares / f32(K) + EPSILON));
}

fn product(row: u32, unit: u32, x: mat4x4f) -> f32 {
  let w = weights16(row, unit);
  return scale16(row, unit) * (dot(w[0], x[0]) + dot(w[1], x[1]) + dot(w[2], x[2]) + dot(w[3], x[3]));
}

fn products(row: u32, unit: u32, x: mat4x4f) -> vec4f {
  return vec4f(
    product(row, unit, x),
    product(row + 1, unit, x),
    product(row + 2, unit, x),
    product(row + 3, unit, x),
  );
}

fn normed(value: vec4f, at: u32, s: Statistics) -> vec4f {
  return (value - s.mean) * s.factor * vectors[NORM_AT + at] + vectors[NORM_AT + ROW_UNITS * 4 + at];
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x * 8;
  if (i >= N) {
    return;
  }
  let row = select(id.y, batch.rows[id.y].logitRow, SELECT);
  let start = row * ROW_UNITS * 4;
  var s = Statistics(0, 1);
  if (NORM) {
    s = statistics(start);
  }
  var low = vec4f();
  var high = vec4f();
  for (var unit = 0u; unit < ROW_UNITS; unit++) {
    let at = unit * 4;
    var x16 = mat4x4f(x[start + at], x[start + at + 1], x[start + at + 2], x[start + at + 3]);
    if (NORM) {
      x16 = mat4x4f(
        normed(x16[0], at, s),
        normed(x16[1], at + 1, s),
        normed(x16[2], at + 2, s),
        normed(x16[3], at + 3, s),
      );
    }
    low += products(WEIGHT_ROW + i, unit, x16);
    high += products(WEIGHT_ROW + i + 4, unit, x16);
  }
  store4(id.y, i, low);
  store4(id.y, i + 4, high);
}

