// Each invocation reads and norms its rows of x for itself.
fn laneOf(local: u32) -> u32 {
  return 0;
}

fn statistics(start: u32, lane: u32) -> Statistics {
  let fours = (K + 3) / 4;
  let first = moments(start, 0, 0).x + moments(start, 1, 0).x + moments(start, 2, 0).x + moments(start, 3, 0).x;
  let pivot = centre(first / 16);
  var sums = vec2f();
  for (var k = 0u; k < fours; k++) {
    sums += moments(start, k, pivot);
  }
  return statisticsOf(sums, pivot);
}

fn shared16(start: u32, unit: u32, s: Statistics, lane: u32) -> mat4x4f {
  return input16(start, unit, s);
}
