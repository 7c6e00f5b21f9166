// scores [nHead, rows, keys] = q · k * scale + bias for the keys that the row sees, -Infinity beyond
override Q_STRIDE: u32;
override SCALE: f32;
override LAST_KEYS: u32 = 0; // a row sees so many of the last keys; 0: all
@group(0) @binding(3) var<storage, read> q: array<f32>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let key = id.x;
  let head = id.z;
  if (key >= keyCount() || id.y >= batch.rowCount) { return; }
  let seen = seenBy(id.y);
  var score = 0.0;
  if (key < seen.count && (LAST_KEYS == 0 || key + LAST_KEYS >= seen.count)) {
    let query = id.y * Q_STRIDE + head * HEAD_DIM;
    let at = keyAt(seen.first + key, head);
    for (var i = 0u; i < HEAD_DIM; i++) {
      score += q[query + i] * cached(at + i);
    }
    score = score * SCALE + biasOf(head, seen.first + key, seen.place);
  } else {
    // WGSL has no literal for infinity, and refuses one that it can compute itself.
    var minusInfinity = 0xff800000u;
    score = bitcast<f32>(minusInfinity);
  }
  scores[scoresAt(head, id.y) + key] = score;
}
