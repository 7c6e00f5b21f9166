// pattern [nHead, rows, keys] = softmax of scores over the keys that the row sees, 0 beyond
override LAST_KEYS: u32 = 0; // a row sees so many of the last keys; 0: all
@group(0) @binding(3) var<storage, read> scores: array<f32>;
@group(0) @binding(4) var<storage, read_write> pattern: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= batch.rowCount) { return; }
  let start = scoresAt(id.y, id.x);
  let length = seenBy(id.x).count;
  let first = select(0, length - min(length, LAST_KEYS), LAST_KEYS > 0);
  var top = scores[start + first];
  for (var key = first + 1; key < length; key++) {
    top = max(top, scores[start + key]);
  }
  var sum = 0.0;
  for (var key = first; key < length; key++) {
    let weight = exp(scores[start + key] - top);
    pattern[start + key] = weight;
    sum += weight;
  }
  for (var key = 0u; key < keyCount(); key++) {
    pattern[start + key] = select(0, pattern[start + key] / sum, key >= first && key < length);
  }
}
