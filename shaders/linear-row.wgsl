// output [1 row, out] = norm(x) weightᵀ, eight rows of the weight an invocation, no barrier: for few rows on software GPUs, where a
// barrier costs more than reading again. In front of it: how an invocation comes by its inputs, for itself or in fours.
override WORKGROUP: u32;

fn products(rows: vec4u, unit: u32, x: mat4x4f) -> vec4f {
  return vec4f(unscaled(rows.x, unit, x), unscaled(rows.y, unit, x), unscaled(rows.z, unit, x), unscaled(rows.w, unit, x));
}

fn scales(rows: vec4u, unit: u32) -> vec4f {
  return vec4f(scale16(rows.x, unit), scale16(rows.y, unit), scale16(rows.z, unit), scale16(rows.w, unit));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = id.x * select(8u, 4u, UP > 0); // beyond N nothing is stored
  let row = inputRow(id.y);
  let start = row * ROW_UNITS * 4;
  let lane = laneOf(local);
  var s = Statistics(0, 1);
  if (NORM) { s = statistics(start, lane); }
  if (keepsNormed(group.x)) { keepNormed(start, local, WORKGROUP, s); }
  var low = vec4f();
  var high = vec4f();
  let w = weightRows(i);
  let w4 = weightRows(i + select(4u, UP, UP > 0));
  for (var unit = 0u; unit < ROW_UNITS; unit++) {
    let values = shared16(start, unit, s, lane);
    low += products(w, unit, values) * scales(w, unit);
    high += products(w4, unit, values) * scales(w4, unit);
  }
  if (UP > 0) {
    storeGated4(id.y, i, low, high);
    return;
  }
  store4(id.y, i, low);
  store4(id.y, i + 4, high);
}
