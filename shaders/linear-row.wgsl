// output [1 row, out] = norm(x) weightᵀ, eight outputs an invocation, no barrier: for few rows on software GPUs, where a
// barrier costs more than reading x again. With NORM each invocation computes the row's mean and variance itself.
override WORKGROUP: u32;

fn statistics(start: u32) -> Statistics {
  let quads = (K + 3) / 4;
  var sum = 0.0;
  for (var k = 0u; k < quads; k++) {
    sum += dot(inputs(start, k, 0), vec4f(1));
  }
  let mean = sum / f32(K);
  var squares = 0.0;
  for (var k = 0u; k < quads; k++) {
    let d = inputs(start, k, mean) - mean;
    squares += dot(d, d);
  }
  return Statistics(mean, inverseSqrt(squares / f32(K) + EPSILON));
}

fn products(row: u32, unit: u32, x: mat4x4f) -> vec4f {
  return vec4f(
    product(row, unit, x),
    product(row + 1, unit, x),
    product(row + 2, unit, x),
    product(row + 3, unit, x),
  );
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
    let values = input16(start, unit, s);
    low += products(WEIGHT_ROW + i, unit, values);
    high += products(WEIGHT_ROW + i + 4, unit, values);
  }
  store4(id.y, i, low);
  store4(id.y, i + 4, high);
}
