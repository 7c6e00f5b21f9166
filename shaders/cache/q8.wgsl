// Keys and values of a source, [2, places, nHead], each the bytes of a head, headDim a multiple of 4, and for every eight of them a
// float32, which they are times.
@group(0) @binding(4) var<storage, read> cache: array<u32>;
override RECORD = HEAD_DIM / 4 + (HEAD_DIM + 7) / 8; // words of a head

fn valuesStart() -> u32 {
  return arrayLength(&cache) / RECORD / 2 * HEAD_DIM;
}

fn cached(at: u32) -> f32 {
  return cached4(at)[at % 4];
}

// As in weights/q8.wgsl.
fn cached4(at: u32) -> vec4f {
  let record = at / HEAD_DIM * RECORD;
  let quad = at % HEAD_DIM / 4;
  let w = bitcast<i32>(cache[record + quad] ^ 0x00808080u);
  let scale = bitcast<f32>(cache[record + HEAD_DIM / 4 + quad / 2]);
  return scale * vec4f(
    f32((w & 0xff) - 0x80),
    f32((w & 0xff00) - 0x8000) * 0x1p-8,
    f32((w & 0xff0000) - 0x800000) * 0x1p-16,
    f32(w & -0x1000000) * 0x1p-24,
  );
}
