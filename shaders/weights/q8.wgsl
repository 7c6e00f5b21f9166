// Weights as int8 with one half-precision scale for 32 of them (llama.cpp's Q8_0, values and scales apart).
override ROW_UNITS: u32; // units of 16 weights in a row
@group(0) @binding(1) var<storage, read> weightValues: array<vec4u>;
@group(0) @binding(2) var<storage, read> weightScales: array<u32>;

fn weights16(row: u32, unit: u32) -> mat4x4f {
  let packed = weightValues[row * ROW_UNITS + unit];
  return mat4x4f(
    vec4f(unpack4xI8(packed.x)),
    vec4f(unpack4xI8(packed.y)),
    vec4f(unpack4xI8(packed.z)),
    vec4f(unpack4xI8(packed.w)),
  );
}

fn scale16(row: u32, unit: u32) -> f32 {
  let block = (row * ROW_UNITS + unit) / 2;
  return unpack2x16float(weightScales[block / 2])[block & 1];
}
