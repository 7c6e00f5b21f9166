// output [n] = Σ over rows, and heads where they are normed apart, of grad * (input - mean) / scale; ADD: added to what is there.
// A workgroup takes LANES columns, and all of a row for its mean.
override N: u32;
override HEADS: u32;
override STRIDE: u32;
override SCALE_STRIDE: u32;
override CENTRED: bool;
override ADD: bool;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read> input: array<f32>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = group.x * LANES + lane;
  let own = min(column, N - 1);
  var sum = 0.0;
  if (ADD) {
    sum = output[own];
  }
  for (var i = 0u; i < rowCount() * HEADS; i++) {
    let start = (i / HEADS) * STRIDE + (i % HEADS) * N;
    var total = 0.0;
    if (CENTRED) {
      for (var j = lane; j < N; j += LANES) {
        total += input[start + j];
      }
    }
    let mean = sumOfLanes(lane, total) / f32(N);
    sum += grad[start + own] * (input[start + own] - mean) / scale[(i / HEADS) * SCALE_STRIDE + i % HEADS];
  }
  if (column < N) {
    output[column] = sum;
  }
}
