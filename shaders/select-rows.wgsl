// output [logitRows, n] = the rows of input [rows, n] whose logits are wanted
override STRIDE: u32;
@group(0) @binding(3) var<storage, read> input: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= STRIDE || id.y >= batch.logitCount) { return; }
  output[id.y * STRIDE + id.x] = input[batch.rows[id.y].logitRow * STRIDE + id.x];
}
