// Weights as int8 with one half-precision scale for 32 of them (llama.cpp's Q8_0, values and scales apart).
override ROW_UNITS: u32; // units of 16 weights in a row
@group(0) @binding(1) var<storage, read> weightValues: array<vec4u>;
@group(0) @binding(2) var<storage, read> weightScales: array<u32>;

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

// A half as float32. By hand: WGSL lets drivers take halves below 2^-14 for 0, and with a scale goes a whole block of small weights.
fn halfOf(bits: u32) -> f32 {
  let magnitude = (bits & 0x7fff) * 0x2000; // no shift, as above
  let small = bitcast<f32>(magnitude + 0x38800000) - 0x1p-14;
  let size = select(small, bitcast<f32>(magnitude + 0x38000000), magnitude >= 0x800000);
  return select(size, -size, (bits & 0x8000) != 0);
}

fn scale16(row: u32, unit: u32) -> f32 {
  let block = (row * ROW_UNITS + unit) / 2;
  let pair = weightScales[block / 2];
  return halfOf(select(pair, pair >> 16, (block & 1) == 1));
}
