// Four invocations (quads.wgsl) share reading the rows of x.
fn shared16(at: u32, lane: u32) -> mat4x4f {
  return handRound(x[at + lane]);
}
