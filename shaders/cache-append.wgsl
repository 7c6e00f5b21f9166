// Writes keys and values [rows, nHead * headDim] to a source [2, places, nHead * headDim], two an invocation.
override N: u32; // nHead * headDim
override STRIDE: u32;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x * 2;
  if (i >= N || id.y >= batch.rowCount) { return; }
  let at = placeOf(id.y) * N + i;
  let input = id.y * STRIDE + i;
  cacheWriteBoth(at, vec2f(k[input], k[input + 1]), i + 1 < N);
  cacheWriteBoth(valuesStart() + at, vec2f(v[input], v[input + 1]), i + 1 < N);
}
