// Four invocations read and norm a quarter of the row of x each, and hand it round.
fn laneOf(local: u32) -> u32 {
  // Drivers need not number a subgroup's invocations in order.
  let isFirst = local == quadBroadcast(local, 1);
  let isSecond = local == quadBroadcast(local, 2);
  let isThird = local == quadBroadcast(local, 3);
  return u32(isFirst) + 2 * u32(isSecond) + 3 * u32(isThird);
}

fn quadSum(value: vec2f) -> vec2f {
  let pair = value + quadSwapX(value);
  return pair + quadSwapY(pair);
}

fn statistics(start: u32, lane: u32) -> Statistics {
  let quads = (K + 3) / 4;
  let pivot = quadSum(moments(start, lane, 0)).x / 16;
  var sums = vec2f();
  for (var k = lane; k < quads; k += 4) {
    sums += moments(start, k, pivot);
  }
  return statisticsOf(quadSum(sums), pivot);
}

fn shared16(start: u32, unit: u32, s: Statistics, lane: u32) -> mat4x4f {
  let own = input4(start, unit * 4 + lane, s);
  return mat4x4f(quadBroadcast(own, 0), quadBroadcast(own, 1), quadBroadcast(own, 2), quadBroadcast(own, 3));
}
