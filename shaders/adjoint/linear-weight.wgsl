// output [FIRST + out, in] = Σ over rows of grad [rows, out] ⊗ input [rows, in]; ADD: added to what is there
override FIRST: u32;
override COUNT: u32;
override GRAD_STRIDE: u32;
override QUADS: u32; // vectors in a row of the input and of the output
override ADD: bool;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read> input: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let o = id.y + id.z * groups.y;
  if (id.x >= QUADS || o >= COUNT) {
    return;
  }
  let at = (FIRST + o) * QUADS + id.x;
  var sum = vec4f();
  if (ADD) {
    sum = output[at];
  }
  for (var row = 0u; row < rowCount(); row++) {
    sum += grad[row * GRAD_STRIDE + o] * input[row * QUADS + id.x];
  }
  output[at] = sum;
}
