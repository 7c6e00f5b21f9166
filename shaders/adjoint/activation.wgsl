// output = grad * the activation's derivative at input
override STRIDE: u32;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read> input: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= STRIDE || id.y >= rowCount()) { return; }
  let i = id.y * STRIDE + id.x;
  output[i] = grad[i] * slope(input[i]);
}
