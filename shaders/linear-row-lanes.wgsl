// output [1 row, out] = norm(x) weightᵀ, the inputs split over lanes: for few rows on real GPUs, which want many
// invocations that read neighbouring addresses. A workgroup is TEAMS of LANES; each team takes two rows of the weight.
const WORKGROUP = 64u;
override LANES: u32; // a power of two
override TEAMS = WORKGROUP / LANES;
const OUTPUTS = 2u;
var<workgroup> partial: array<vec2f, WORKGROUP>;

// Sum over the workgroup, in every lane.
fn sumOfAll(lane: u32, value: vec2f) -> vec2f {
  partial[lane] = value;
  workgroupBarrier();
  var sum = vec2f();
  for (var i = 0u; i < WORKGROUP; i++) {
    sum += partial[i];
  }
  workgroupBarrier();
  return sum;
}

fn product(row: u32, unit: u32, x: mat4x4f) -> f32 {
  return scale16(row, unit) * unscaled(row, unit, x);
}

fn statistics(start: u32, lane: u32) -> Statistics {
  let fours = (K + 3) / 4;
  let pivot = centre(moments(start, 0, 0).x / 4);
  var sums = vec2f();
  for (var k = lane; k < fours; k += WORKGROUP) {
    sums += moments(start, k, pivot);
  }
  return statisticsOf(sumOfAll(lane, sums), pivot);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x * TEAMS + lane / LANES) * select(OUTPUTS, 1u, UP > 0);
  let w = weightRow(i);
  let other = weightRow(i + select(1u, UP, UP > 0));
  let row = inputRow(group.y);
  let start = row * ROW_UNITS * 4;
  var s = Statistics(0, 1);
  if (NORM) { s = statistics(start, lane); }
  if (keepsNormed(group.x)) { keepNormed(start, lane, WORKGROUP, s); }
  var sums = vec2f();
  for (var unit = lane % LANES; unit < ROW_UNITS; unit += LANES) {
    let values = input16(start, unit, s);
    sums += vec2f(product(w, unit, values), product(other, unit, values));
  }
  partial[lane] = sums;
  for (var half = LANES / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane % LANES < half) { partial[lane] += partial[lane + half]; }
  }
  if (lane % LANES == 0) {
    if (UP > 0) {
      storeGated(group.y, i, partial[lane].x, partial[lane].y);
    } else {
      store2(group.y, i, partial[lane]);
    }
  }
}
