// Keys and values of a source, [2, places, nHead, headDim], as halves, two in a u32; headDim is a multiple of 4.
@group(0) @binding(4) var<storage, read> cache: array<vec2u>;

fn valuesStart() -> u32 {
  return arrayLength(&cache) * 2;
}

fn cached(at: u32) -> f32 {
  return cached4(at)[at % 4];
}

fn cached4(at: u32) -> vec4f {
  let packed = cache[at / 4];
  return vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
