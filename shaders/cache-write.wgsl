// Writes to the KV cache of a layer: f32 (cache/f32.wgsl), or with CACHE_HALF two halves in a u32 (cache/f16.wgsl).
override CACHE_HALF: bool;
@group(0) @binding(7) var<storage, read_write> cache: array<u32>;

const MOST_HALF = 65504.0; // no half is larger

fn cacheWrite(at: u32, value: f32) {
  cache[at] = bitcast<u32>(value);
}

// Values at and at + 1; `at` is even.
fn cacheWriteHalves(at: u32, values: vec2f) {
  cache[at / 2] = pack2x16float(clamp(values, vec2f(-MOST_HALF), vec2f(MOST_HALF)));
}
