// Half-precision scales of 32 weights each, in front of the formats that have them.
override ROW_UNITS: u32; // units of 16 weights in a row
@group(0) @binding(2) var<storage, read> weightScales: array<u32>;

// A half as float32. By hand: WGSL lets drivers take halves below 2^-14 for 0, and with a scale goes a whole block of small weights.
fn halfOf(bits: u32) -> f32 {
  let magnitude = (bits & 0x7fff) * 0x2000; // no shift, as in q8.wgsl
  let small = bitcast<f32>(magnitude + 0x38800000) - 0x1p-14;
  let size = select(small, bitcast<f32>(magnitude + 0x38000000), magnitude >= 0x800000);
  return select(size, -size, (bits & 0x8000) != 0);
}

fn scale16(row: u32, unit: u32) -> f32 {
  let block = (row * ROW_UNITS + unit) / 2;
  let pair = weightScales[block / 2];
  return halfOf(select(pair, pair >> 16, (block & 1) == 1));
}
