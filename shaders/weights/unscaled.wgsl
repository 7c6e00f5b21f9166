// In front of the formats without scales.
override ROW_UNITS: u32; // units of 16 weights in a row

fn scale16(row: u32, unit: u32) -> f32 {
  return 1;
}
