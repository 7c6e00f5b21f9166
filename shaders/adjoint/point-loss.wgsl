// Of labels y and logits x: losses [rows, 1] = Σ of x y (KIND 0), (x - y)² (1), or log(1 + exp(x)) - x y (2); output [rows, n] =
// the derivative * the loss's scale
override KIND: u32;
override N: u32;
override STRIDE: u32;
override LOSS_STRIDE: u32;
@group(0) @binding(3) var<storage, read> logits: array<f32>;
@group(0) @binding(4) var<storage, read> labels: array<f32>; // the scale, three unused, then n labels a row
@group(0) @binding(5) var<storage, read_write> output: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < N; i += LANES) {
    let x = logits[group.x * STRIDE + i];
    let y = labels[4 + group.x * N + i];
    var slope = y;
    if (KIND == 0) {
      sum += x * y;
    } else if (KIND == 1) {
      sum += (x - y) * (x - y);
      slope = 2 * (x - y);
    } else {
      sum += max(x, 0) + log(1 + exp(-abs(x))) - x * y;
      slope = 1 / (1 + exp(-x)) - y;
    }
    output[group.x * STRIDE + i] = slope * labels[0];
  }
  let loss = sumOfLanes(lane, sum);
  if (lane == 0) {
    losses[group.x * LOSS_STRIDE] = loss;
  }
}
