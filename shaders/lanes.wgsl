// Sums over a workgroup, in front of the kernels that take a row in common.
const LANES = 64u;
var<workgroup> partial: array<f32, LANES>;

fn sumOfLanes(lane: u32, value: f32) -> f32 {
  partial[lane] = value;
  for (var half = LANES / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { partial[lane] += partial[lane + half]; }
  }
  workgroupBarrier();
  let sum = partial[0];
  workgroupBarrier();
  return sum;
}

fn mostOfLanes(lane: u32, value: f32) -> f32 {
  partial[lane] = value;
  for (var half = LANES / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { partial[lane] = max(partial[lane], partial[lane + half]); }
  }
  workgroupBarrier();
  let most = partial[0];
  workgroupBarrier();
  return most;
}
