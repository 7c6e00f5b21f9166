// output [rows, 1], or [rows, nHead, 1], = sqrt(variance(input) + epsilon), or not CENTRED, sqrt(mean of squares + epsilon)
override N: u32;
override STRIDE: u32;
override OUT_STRIDE: u32;
override EPSILON: f32;
override CENTRED: bool;
@group(0) @binding(3) var<storage, read> input: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= rowCount()) {
    return;
  }
  let start = row * STRIDE + id.y * N;
  var sum = 0.0;
  for (var i = 0u; i < N; i++) {
    sum += input[start + i];
  }
  let mean = select(0, sum / f32(N), CENTRED);
  var squares = 0.0;
  for (var i = 0u; i < N; i++) {
    let d = input[start + i] - mean;
    squares += d * d;
  }
  output[row * OUT_STRIDE + id.y] = sqrt(squares / f32(N) + EPSILON);
}
