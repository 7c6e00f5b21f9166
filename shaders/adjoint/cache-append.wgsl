// output [rows, n] = a source's keys, or VALUES, at the rows' places
override VALUES: bool;
override WIDTH: u32;
override STRIDE: u32;
@group(0) @binding(4) var<storage, read> kept: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= WIDTH || id.y >= batch.rowCount) { return; }
  output[id.y * STRIDE + id.x] = kept[select(0, arrayLength(&kept) / 2, VALUES) + placeOf(id.y) * WIDTH + id.x];
}
