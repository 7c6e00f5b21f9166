// Of each of two columns a cross-entropy over the rows of a text: losses [rows, 1] = half of log Σ exp(logits) - the row's logit where it is
// right, output [rows, 2] = half of (softmax over the text's rows - whether it is right) * the loss's scale
override STRIDE: u32;
override LOSS_STRIDE: u32;
@group(0) @binding(3) var<storage, read> logits: array<f32>;
// The scale, three unused, then a row's place among the rows of its text and how many these are, each twice, + 1 where the column is right.
@group(0) @binding(4) var<storage, read> labels: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x - u32(labels[4 + 2 * group.x]) / 2;
  let count = u32(labels[5 + 2 * group.x]) / 2;
  var lost = 0.0;
  for (var column = 0u; column < 2; column++) {
    var most = logits[first * STRIDE + column];
    for (var i = lane; i < count; i += LANES) {
      most = max(most, logits[(first + i) * STRIDE + column]);
    }
    let top = mostOfLanes(lane, most);
    var sum = 0.0;
    for (var i = lane; i < count; i += LANES) {
      sum += exp(logits[(first + i) * STRIDE + column] - top);
    }
    let total = sumOfLanes(lane, sum);
    let x = logits[group.x * STRIDE + column];
    let right = f32(u32(labels[4 + 2 * group.x + column]) % 2);
    lost += right * (top + log(total) - x) / 2;
    if (lane == 0) {
      output[group.x * STRIDE + column] = (exp(x - top) / total - right) / 2 * labels[0];
    }
  }
  if (lane == 0) {
    losses[group.x * LOSS_STRIDE] = lost;
  }
}
