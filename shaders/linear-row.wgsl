// output [1 row, out] = norm(x) weightᵀ, eight rows of the weight an invocation, no barrier: for few rows on software GPUs, where a
// barrier costs more than reading again. In front of it: how an invocation comes by its inputs, for itself or in fours.
override WORKGROUP: u32;

fn products(row: u32, unit: u32, x: mat4x4f) -> vec4f {
  return vec4f(
    unscaled(row, unit, x),
    unscaled(row + 1, unit, x),
    unscaled(row + 2, unit, x),
    unscaled(row + 3, unit, x),
  );
}

fn scales(row: u32, unit: u32) -> vec4f {
  return vec4f(scale16(row, unit), scale16(row + 1, unit), scale16(row + 2, unit), scale16(row + 3, unit));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = id.x * select(8u, 4u, UP > 0); // beyond N nothing is stored
  let row = select(id.y, batch.rows[id.y].logitRow, SELECT);
  let start = row * ROW_UNITS * 4;
  let lane = laneOf(local);
  var s = Statistics(0, 1);
  if (NORM) { s = statistics(start, lane); }
  if (keepsNormed(group.x)) { keepNormed(start, local, WORKGROUP, s); }
  var low = vec4f();
  var high = vec4f();
  let w = WEIGHT_ROW + i;
  let w4 = w + select(4u, UP, UP > 0);
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
