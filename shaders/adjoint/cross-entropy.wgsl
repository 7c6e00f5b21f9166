// losses [rows, 1] = log Σ exp(logits) - logits[label], output [rows, n] = (softmax(logits) - onehot(label)) * the loss's scale
override N: u32;
override STRIDE: u32;
override LOSS_STRIDE: u32;
@group(0) @binding(4) var<storage, read> labels: array<f32>; // the scale, three unused, then a label a row
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = group.x * STRIDE;
  var most = logitAt(start);
  for (var i = lane; i < N; i += LANES) {
    most = max(most, logitAt(start + i));
  }
  let top = mostOfLanes(lane, most);
  var sum = 0.0;
  for (var i = lane; i < N; i += LANES) {
    sum += exp(logitAt(start + i) - top);
  }
  let total = sumOfLanes(lane, sum);
  let label = u32(labels[4 + group.x]);
  if (lane == label % LANES) {
    losses[group.x * LOSS_STRIDE] = top + log(total) - logitAt(start + label);
  }
  for (var i = lane; i < N; i += LANES) {
    output[start + i] = (exp(logitAt(start + i) - top) / total - select(0.0, 1.0, i == label)) * labels[0];
  }
}
