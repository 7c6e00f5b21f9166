// Weights as bfloat16, the upper half of a float32, two in a u32.
@group(0) @binding(1) var<storage, read> weightValues: array<vec4u>;

fn brains(pair: vec2u) -> vec4f {
  let low = pair << vec2u(16);
  let high = pair & vec2u(0xffff0000);
  return bitcast<vec4f>(vec4u(low.x, high.x, low.y, high.y));
}

fn weights16(row: u32, unit: u32) -> mat4x4f {
  let at = (row * ROW_UNITS + unit) * 2;
  let a = weightValues[at];
  let b = weightValues[at + 1];
  return mat4x4f(brains(a.xy), brains(a.zw), brains(b.xy), brains(b.zw));
}
