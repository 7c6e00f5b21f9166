// Writes keys and values [rows, nHead * headDim] to a source [2, places, nHead * headDim], two an invocation.
override N: u32; // nHead * headDim
override STRIDE: u32;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;

fn write(at: u32, values: vec2f, both: bool) {
  if (CACHE_HALF) {
    cacheWriteHalves(at, values);
    return;
  }
  cacheWrite(at, values.x);
  if (both) {
    cacheWrite(at + 1, values.y);
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x * 2;
  if (i >= N || id.y >= batch.rowCount) {
    return;
  }
  let at = placeOf(id.y) * N + i;
  let input = id.y * STRIDE + i;
  write(at, vec2f(k[input], k[input + 1]), i + 1 < N);
  write(valuesStart() + at, vec2f(v[input], v[input + 1]), i + 1 < N);
}
