// output [FIRST + n] = Σ over rows of grad [rows, GROUPS, n]; ADD: added to what is there
override FIRST: u32;
override N: u32;
override GROUPS: u32;
override STRIDE: u32;
override ADD: bool;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N) { return; }
  var sum = 0.0;
  if (ADD) {
    sum = output[FIRST + id.x];
  }
  for (var row = 0u; row < rowCount(); row++) {
    for (var group = 0u; group < GROUPS; group++) {
      sum += grad[row * STRIDE + group * N + id.x];
    }
  }
  output[FIRST + id.x] = sum;
}
