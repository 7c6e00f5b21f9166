// output [nHead, rows, keys] = pattern * (g - Σ over keys of pattern * g), of the scores, where g = grad [rows, nHead, headDim] · the values
// of the keys that the row sees, 0 beyond. A workgroup has a row of a head, a lane always the same of its keys.
override GRAD_STRIDE: u32;
override LAST_KEYS: u32; // a row sees so many of the last keys; 0: all
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;
@group(0) @binding(7) var<storage, read> pattern: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let seen = seenBy(group.x);
  let start = scoresAt(group.y, group.x);
  let query = group.x * GRAD_STRIDE + group.y * HEAD_DIM;
  var sum = 0.0;
  for (var key = lane; key < keyCount(); key += LANES) {
    var own = 0.0;
    if (key < seen.count && (LAST_KEYS == 0 || key + LAST_KEYS >= seen.count)) {
      let at = valuesStart() + keyAt(seen.first + key, group.y);
      for (var i = 0u; i < HEAD_DIM; i++) {
        own += grad[query + i] * cached(at + i);
      }
    }
    output[start + key] = own;
    sum += pattern[start + key] * own;
  }
  let total = sumOfLanes(lane, sum);
  for (var key = lane; key < keyCount(); key += LANES) {
    output[start + key] = pattern[start + key] * (output[start + key] - total);
  }
}
