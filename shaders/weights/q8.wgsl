// Weights as int8 with one half-precision scale for 32 of them (llama.cpp's Q8_0, values and scales apart).
@group(0) @binding(1) var<storage, read> weightValues: array<vec4u>;

// The four bytes of a word. Each is masked where it stands and brought down by a float factor: exact, and on software
// GPUs, where a shift costs more than everything else here together, three times as fast as unpack4xI8.
fn bytes(word: u32) -> vec4f {
  let w = bitcast<i32>(word ^ 0x00808080u); // the lower three with a bias of 128, so that they have no sign
  return vec4f(
    f32((w & 0xff) - 0x80),
    f32((w & 0xff00) - 0x8000) * 0x1p-8,
    f32((w & 0xff0000) - 0x800000) * 0x1p-16,
    f32(w & -0x1000000) * 0x1p-24,
  );
}

fn weights16(row: u32, unit: u32) -> mat4x4f {
  let packed = weightValues[row * ROW_UNITS + unit];
  return mat4x4f(bytes(packed.x), bytes(packed.y), bytes(packed.z), bytes(packed.w));
}
