// Of normed = h * weight + bias, h = (input - mean) / scale, g = grad * weight, a workgroup for each row, or head of a row:
// OF 0: output [rows, n] = (g - mean(g) - h mean(g h)) / scale + residual, without mean(g) unless CENTRED, without h mean(g h) where FIXED;
// OF 1: output [rows, 1] = -Σ g h / scale, of the scale; OF 2: output [rows, n] = grad [rows, 1] * h / n, of what the scale was made of.
override OF: u32;
override N: u32;
override STRIDE: u32;
override SCALE_STRIDE: u32;
override GRAD_STRIDE: u32;
override CENTRED: bool;
override FIXED: bool;
override RESIDUAL: bool;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read> input: array<f32>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read> weight: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<f32>;
@group(0) @binding(8) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = group.x * STRIDE + group.y * N;
  let divisor = scale[group.x * SCALE_STRIDE + group.y];
  var sum = 0.0;
  for (var i = lane; i < N; i += LANES) {
    sum += input[start + i];
  }
  let mean = select(0, sumOfLanes(lane, sum) / f32(N), CENTRED);
  if (OF == 2) {
    let given = grad[group.x * GRAD_STRIDE + group.y] / f32(N);
    for (var i = lane; i < N; i += LANES) {
      output[start + i] = given * (input[start + i] - mean) / divisor;
    }
    return;
  }
  var whole = 0.0;
  var along = 0.0;
  for (var i = lane; i < N; i += LANES) {
    let g = grad[start + i] * weight[i];
    whole += g;
    along += g * (input[start + i] - mean) / divisor;
  }
  let meanGrad = select(0, sumOfLanes(lane, whole) / f32(N), CENTRED);
  let sumAlong = sumOfLanes(lane, along);
  if (OF == 1) {
    if (lane == 0) {
      output[group.x * SCALE_STRIDE + group.y] = -sumAlong / divisor;
    }
    return;
  }
  let share = select(sumAlong / f32(N), 0, FIXED);
  for (var i = lane; i < N; i += LANES) {
    let h = (input[start + i] - mean) / divisor;
    let own = (grad[start + i] * weight[i] - meanGrad - h * share) / divisor;
    output[start + i] = own + select(0, residual[start + i], RESIDUAL);
  }
}
