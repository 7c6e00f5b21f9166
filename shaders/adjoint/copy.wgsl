// output = input, or 0
override STRIDE: u32;
override ROWS: u32;
override ZERO: bool;
@group(0) @binding(3) var<storage, read> input: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y + id.z * groups.y;
  if (id.x >= STRIDE || row >= ROWS) { return; }
  let i = row * STRIDE + id.x;
  var value = 0.0;
  if (!ZERO) { value = input[i]; }
  output[i] = value;
}
