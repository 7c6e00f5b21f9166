// output [rows, n] = (input - mean) / scale * weight + bias, scale [rows, 1] given or computed here; no mean where not CENTRED.
// One workgroup a row, or a head of a row where heads are normed apart. Two passes over the row: the variance of numbers in the thousands needs the mean first.
override N: u32;
override STRIDE: u32;
override SCALE_STRIDE: u32;
override EPSILON: f32;
override SCALE_GIVEN: bool;
override CENTRED: bool;
override BIAS: bool;
override SCALE_ONLY: bool; // output [rows, 1], or [rows, nHead, 1], is what is computed, SCALE_STRIDE apart
@group(0) @binding(3) var<storage, read> input: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read> weight: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = group.x * STRIDE + group.y * N;
  var sum = 0.0;
  for (var i = lane; i < N; i += LANES) {
    sum += input[start + i];
  }
  let mean = select(0, sumOfLanes(lane, sum) / f32(N), CENTRED);
  var squares = 0.0;
  for (var i = lane; i < N; i += LANES) {
    let d = input[start + i] - mean;
    squares += d * d;
  }
  let computed = sqrt(sumOfLanes(lane, squares) / f32(N) + EPSILON);
  if (SCALE_ONLY) {
    if (lane == 0) { output[group.x * SCALE_STRIDE + group.y] = computed; }
    return;
  }
  let divisor = select(computed, scale[group.x * SCALE_STRIDE + group.y], SCALE_GIVEN);
  for (var i = lane; i < N; i += LANES) {
    output[start + i] = (input[start + i] - mean) / divisor * weight[i] + select(0, bias[i], BIAS);
  }
}
