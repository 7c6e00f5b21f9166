// Writes keys and values [rows, nHead * headDim] to the layer's cache [2, slots, context, nHead * headDim].
override N: u32; // nHead * headDim
override STRIDE: u32;
override CONTEXT: u32;
override SLOTS: u32;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> cache: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N || id.y >= batch.rowCount) {
    return;
  }
  let row = batch.rows[id.y];
  let at = (row.slot * CONTEXT + row.position) * N + id.x;
  cache[at] = k[id.y * STRIDE + id.x];
  cache[SLOTS * CONTEXT * N + at] = v[id.y * STRIDE + id.x];
}
