// Weights as float32. Every format offers the same two functions; a unit is 16 neighbouring weights of a row.
@group(0) @binding(1) var<storage, read> weightValues: array<vec4f>;

fn weights16(row: u32, unit: u32) -> mat4x4f {
  let at = (row * ROW_UNITS + unit) * 4;
  return mat4x4f(weightValues[at], weightValues[at + 1], weightValues[at + 2], weightValues[at + 3]);
}
