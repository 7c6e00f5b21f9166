// What both tile kernels share: where rows of x are, and the weights of 16 inputs.

// Start of a row of x; rows beyond the last repeat it and are not stored.
fn startOf(row: u32) -> u32 {
  let last = min(row, rowCount() - 1);
  return inputRow(last) * ROW_UNITS * 4;
}

fn scaled16(row: u32, unit: u32) -> mat4x4f {
  return weights16(row, unit) * scale16(row, unit);
}
