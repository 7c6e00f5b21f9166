// output [rows, out] = x weightᵀ for many rows: 8 rows x 8 outputs in the registers of one invocation, no barrier: for
// software GPUs. In front of it: how an invocation comes by its inputs, for itself or in fours.
fn product(v: mat4x4f, w: mat4x4f) -> f32 {
  return dot(v[0], w[0]) + dot(v[1], w[1]) + dot(v[2], w[2]) + dot(v[3], w[3]);
}

// 16 inputs of one row times those of four rows of weights.
fn products(v: mat4x4f, a: mat4x4f, b: mat4x4f, c: mat4x4f, d: mat4x4f) -> vec4f {
  return vec4f(product(v, a), product(v, b), product(v, c), product(v, d));
}

fn keepRow(row: u32, start: u32, local: u32, s: Statistics) {
  if (row < rowCount()) { keepNormed(start, local, 8, s); }
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = id.x * select(8u, 4u, UP > 0); // beyond N nothing is stored
  let row = id.y * 8;
  let lane = laneOf(local);
  let start = array(
    startOf(row),
    startOf(row + 1),
    startOf(row + 2),
    startOf(row + 3),
    startOf(row + 4),
    startOf(row + 5),
    startOf(row + 6),
    startOf(row + 7),
  );
  var s: array<Statistics, 8>;
  if (NORM) {
    s = array(
      statistics(start[0], lane),
      statistics(start[1], lane),
      statistics(start[2], lane),
      statistics(start[3], lane),
      statistics(start[4], lane),
      statistics(start[5], lane),
      statistics(start[6], lane),
      statistics(start[7], lane),
    );
  }
  if (keepsNormed(group.x)) {
    keepRow(row, start[0], local, s[0]);
    keepRow(row + 1, start[1], local, s[1]);
    keepRow(row + 2, start[2], local, s[2]);
    keepRow(row + 3, start[3], local, s[3]);
    keepRow(row + 4, start[4], local, s[4]);
    keepRow(row + 5, start[5], local, s[5]);
    keepRow(row + 6, start[6], local, s[6]);
    keepRow(row + 7, start[7], local, s[7]);
  }
  // One row each: outputs i ..= i + 3 and i + 4 ..= i + 7, or what multiplies the first four. Written out below, since what a loop variable picks would
  // live in memory, not in registers.
  var low: array<vec4f, 8>;
  var high: array<vec4f, 8>;
  let w = weightRows(i);
  let other = weightRows(i + select(4u, UP, UP > 0));
  for (var unit = 0u; unit < ROW_UNITS; unit++) {
    let x0 = shared16(start[0], unit, s[0], lane);
    let x1 = shared16(start[1], unit, s[1], lane);
    let x2 = shared16(start[2], unit, s[2], lane);
    let x3 = shared16(start[3], unit, s[3], lane);
    let x4 = shared16(start[4], unit, s[4], lane);
    let x5 = shared16(start[5], unit, s[5], lane);
    let x6 = shared16(start[6], unit, s[6], lane);
    let x7 = shared16(start[7], unit, s[7], lane);
    let w0 = scaled16(w.x, unit);
    let w1 = scaled16(w.y, unit);
    let w2 = scaled16(w.z, unit);
    let w3 = scaled16(w.w, unit);
    low[0] += products(x0, w0, w1, w2, w3);
    low[1] += products(x1, w0, w1, w2, w3);
    low[2] += products(x2, w0, w1, w2, w3);
    low[3] += products(x3, w0, w1, w2, w3);
    low[4] += products(x4, w0, w1, w2, w3);
    low[5] += products(x5, w0, w1, w2, w3);
    low[6] += products(x6, w0, w1, w2, w3);
    low[7] += products(x7, w0, w1, w2, w3);
    let w4 = scaled16(other.x, unit);
    let w5 = scaled16(other.y, unit);
    let w6 = scaled16(other.z, unit);
    let w7 = scaled16(other.w, unit);
    high[0] += products(x0, w4, w5, w6, w7);
    high[1] += products(x1, w4, w5, w6, w7);
    high[2] += products(x2, w4, w5, w6, w7);
    high[3] += products(x3, w4, w5, w6, w7);
    high[4] += products(x4, w4, w5, w6, w7);
    high[5] += products(x5, w4, w5, w6, w7);
    high[6] += products(x6, w4, w5, w6, w7);
    high[7] += products(x7, w4, w5, w6, w7);
  }
  for (var r = 0u; r < 8; r++) {
    if (row + r < rowCount()) {
      if (UP > 0) {
        storeGated4(row + r, i, low[r], high[r]);
      } else {
        store4(row + r, i, low[r]);
        store4(row + r, i + 4, high[r]);
      }
    }
  }
}
