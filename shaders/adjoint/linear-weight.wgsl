// output [out, in] = Σ over rows of grad [rows, out] ⊗ input [rows, in]; ADD: added to what is there. Up to three grads side by side:
// of COUNT, COUNT2 and the other outputs
override OUTPUTS: u32;
override FROM: u32; // the first of the outputs among the grads', and its row in what is bound
override FIRST: u32;
override COUNT: u32;
override COUNT2: u32;
override GRAD_STRIDE: u32;
override STRIDE2: u32;
override STRIDE3: u32;
override QUADS: u32; // vectors in a row of the input and of the output
override ADD: bool;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read> input: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4f>;
@group(0) @binding(6) var<storage, read> second: array<f32>;
@group(0) @binding(7) var<storage, read> third: array<f32>;

fn gradAt(row: u32, o: u32) -> f32 {
  if (o < COUNT) {
    return grad[row * GRAD_STRIDE + o];
  }
  if (o < COUNT + COUNT2) {
    return second[row * STRIDE2 + o - COUNT];
  }
  return third[row * STRIDE3 + o - COUNT - COUNT2];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let o = id.y + id.z * groups.y;
  if (id.x >= QUADS || o >= OUTPUTS) { return; }
  let at = (FIRST + o) * QUADS + id.x;
  var sum = vec4f();
  if (ADD) {
    sum = output[at];
  }
  for (var row = 0u; row < rowCount(); row++) {
    sum += gradAt(row, FROM + o) * input[row * QUADS + id.x];
  }
  output[at] = sum;
}
