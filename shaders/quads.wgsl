// Four invocations that read a quarter each and hand it round.
fn laneOf(local: u32) -> u32 {
  // Drivers need not number a subgroup's invocations in order.
  let isFirst = local == quadBroadcast(local, 1);
  let isSecond = local == quadBroadcast(local, 2);
  let isThird = local == quadBroadcast(local, 3);
  return u32(isFirst) + 2 * u32(isSecond) + 3 * u32(isThird);
}

// Four vectors, one of each lane.
fn handRound(own: vec4f) -> mat4x4f {
  return mat4x4f(quadBroadcast(own, 0), quadBroadcast(own, 1), quadBroadcast(own, 2), quadBroadcast(own, 3));
}
