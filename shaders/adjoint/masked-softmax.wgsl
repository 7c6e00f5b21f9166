// output [nHead, rows, keys] = pattern * (grad - Σ over keys of pattern * grad): of the scores
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read> pattern: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= batch.rowCount) { return; }
  let start = scoresAt(id.y, id.x);
  var sum = 0.0;
  for (var key = 0u; key < keyCount(); key++) {
    sum += pattern[start + key] * grad[start + key];
  }
  for (var key = 0u; key < keyCount(); key++) {
    output[start + key] = pattern[start + key] * (grad[start + key] - sum);
  }
}
