// Keys and values of a source, [2, places, nHead, headDim], as f32.
@group(0) @binding(4) var<storage, read> cache: array<vec4f>;

fn valuesStart() -> u32 {
  return arrayLength(&cache) * 2;
}

// Beyond a head, which may be the last, it is anything, and weighs nothing.
fn cached(at: u32) -> f32 {
  return cache[min(at / 4, arrayLength(&cache) - 1)][at % 4];
}

fn cached4(at: u32) -> vec4f {
  if (HEAD_DIM % 4 == 0) { return cache[at / 4]; }
  return vec4f(cached(at), cached(at + 1), cached(at + 2), cached(at + 3));
}
