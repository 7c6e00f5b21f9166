// output [rows, n] = a + b, or a * b
override STRIDE: u32;
override MULTIPLY: bool;
@group(0) @binding(3) var<storage, read> a: array<f32>;
@group(0) @binding(4) var<storage, read> b: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= STRIDE || id.y >= rowCount()) { return; }
  let i = id.y * STRIDE + id.x;
  output[i] = select(a[i] + b[i], a[i] * b[i], MULTIPLY);
}
