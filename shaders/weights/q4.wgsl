// Weights as 4 bits with one half-precision scale for 32 of them: weight = (nibble - 8) * scale (llama.cpp's Q4_0). Of
// eight weights, the first four are the low nibbles of a u32 and the last four the high ones.
override ROW_UNITS: u32; // units of 16 weights in a row
@group(0) @binding(1) var<storage, read> weightValues: array<vec2u>;
@group(0) @binding(2) var<storage, read> weightScales: array<u32>;

fn weights16(row: u32, unit: u32) -> mat4x4f {
  let packed = weightValues[row * ROW_UNITS + unit];
  return mat4x4f(
    vec4f(unpack4xU8(packed.x & 0x0f0f0f0fu)) - 8,
    vec4f(unpack4xU8((packed.x >> 4) & 0x0f0f0f0fu)) - 8,
    vec4f(unpack4xU8(packed.y & 0x0f0f0f0fu)) - 8,
    vec4f(unpack4xU8((packed.y >> 4) & 0x0f0f0f0fu)) - 8,
  );
}

fn scale16(row: u32, unit: u32) -> f32 {
  let block = (row * ROW_UNITS + unit) / 2;
  return unpack2x16float(weightScales[block / 2])[block & 1];
}
