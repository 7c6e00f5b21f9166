// Each invocation reads its rows of x for itself.
fn laneOf(local: u32) -> u32 {
  return 0;
}

fn shared16(at: u32, lane: u32) -> mat4x4f {
  return mat4x4f(x[at], x[at + 1], x[at + 2], x[at + 3]);
}
