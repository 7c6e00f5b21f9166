// Weights as IEEE half precision, two in a u32; needs no shader-f16.
@group(0) @binding(1) var<storage, read> weightValues: array<vec4u>;

fn weights16(row: u32, unit: u32) -> mat4x4f {
  let at = (row * ROW_UNITS + unit) * 2;
  let a = weightValues[at];
  let b = weightValues[at + 1];
  return mat4x4f(
    vec4f(unpack2x16float(a.x), unpack2x16float(a.y)),
    vec4f(unpack2x16float(a.z), unpack2x16float(a.w)),
    vec4f(unpack2x16float(b.x), unpack2x16float(b.y)),
    vec4f(unpack2x16float(b.z), unpack2x16float(b.w)),
  );
}
