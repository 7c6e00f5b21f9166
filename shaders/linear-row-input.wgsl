// What all row kernels share: 16 inputs times those of a row of weights.
fn unscaled(row: u32, unit: u32, x: mat4x4f) -> f32 {
  let w = weights16(row, unit);
  return dot(w[0], x[0]) + dot(w[1], x[1]) + dot(w[2], x[2]) + dot(w[3], x[3]);
}
