// Weights as 4 bits with one half-precision scale for 32 of them: weight = (nibble - 8) * scale (llama.cpp's Q4_0). Of
// eight weights, the first four are the low nibbles of a u32 and the last four the high ones.
@group(0) @binding(1) var<storage, read> weightValues: array<vec2u>;

// Masked where they stand and brought down by a float factor, as in q8.wgsl.
fn lowNibbles(word: u32) -> vec4f {
  let w = bitcast<i32>(word);
  return vec4f(
    f32((w & 0xf) - 0x8),
    f32((w & 0xf00) - 0x800) * 0x1p-8,
    f32((w & 0xf0000) - 0x80000) * 0x1p-16,
    f32((w & 0xf000000) - 0x8000000) * 0x1p-24,
  );
}

fn highNibbles(word: u32) -> vec4f {
  let w = bitcast<i32>(word ^ 0x80000000u); // takes 8 from the topmost, which has the sign
  return vec4f(
    f32((w & 0xf0) - 0x80) * 0x1p-4,
    f32((w & 0xf000) - 0x8000) * 0x1p-12,
    f32((w & 0xf00000) - 0x800000) * 0x1p-20,
    f32(w & -0x10000000) * 0x1p-28,
  );
}

fn weights16(row: u32, unit: u32) -> mat4x4f {
  let packed = weightValues[row * ROW_UNITS + unit];
  return mat4x4f(lowNibbles(packed.x), highNibbles(packed.x), lowNibbles(packed.y), highNibbles(packed.y));
}
