// Writes to the keys and values of a source: f32 (cache/f32.wgsl), or with CACHE_HALF two halves in a u32 (cache/f16.wgsl).
override CACHE_HALF: bool;
@group(0) @binding(7) var<storage, read_write> cache: array<u32>;

// Values lie behind the keys, in the second half.
fn valuesStart() -> u32 {
  return select(arrayLength(&cache) / 2, arrayLength(&cache), CACHE_HALF);
}

const MOST_HALF = 65504.0; // no half is larger

fn cacheWrite(at: u32, value: f32) {
  cache[at] = bitcast<u32>(value);
}

// Rounds to the eleven bits that a half keeps, to the nearest: WGSL leaves it to drivers, some of which cut off.
fn asHalves(values: vec2f) -> vec2f {
  let bits = bitcast<vec2u>(values);
  let rounded = bitcast<vec2f>((bits + 0xfff + ((bits >> vec2u(13)) & vec2u(1))) & vec2u(0xffffe000));
  return clamp(rounded, vec2f(-MOST_HALF), vec2f(MOST_HALF));
}

// Values at and at + 1; `at` is even.
fn cacheWriteHalves(at: u32, values: vec2f) {
  cache[at / 2] = pack2x16float(asHalves(values));
}

// Values at and at + 1, or the first alone.
fn cacheWriteBoth(at: u32, values: vec2f, both: bool) {
  if (CACHE_HALF) {
    cacheWriteHalves(at, values);
    return;
  }
  cacheWrite(at, values.x);
  if (both) { cacheWrite(at + 1, values.y); }
}
