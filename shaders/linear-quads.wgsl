// Four invocations (quads.wgsl) share reading and norming the rows of x.
fn quadSum(value: vec2f) -> vec2f {
  let pair = value + quadSwapX(value);
  return pair + quadSwapY(pair);
}

fn statistics(start: u32, lane: u32) -> Statistics {
  let fours = (K + 3) / 4;
  let pivot = centre(quadSum(moments(start, lane, 0)).x / 16);
  var sums = vec2f();
  for (var k = lane; k < fours; k += 4) {
    sums += moments(start, k, pivot);
  }
  return statisticsOf(quadSum(sums), pivot);
}

fn shared16(start: u32, unit: u32, s: Statistics, lane: u32) -> mat4x4f {
  return handRound(input4(start, unit * 4 + lane, s));
}
