// scores [nHead, rows, context] = q · k * scale for the keys up to the row's position, -Infinity beyond
override N: u32; // nHead * headDim
override HEAD_DIM: u32;
override Q_STRIDE: u32;
override CONTEXT: u32;
override ROWS: u32; // rows the scores have room for
override SCALE: f32;
@group(0) @binding(3) var<storage, read> q: array<f32>;
@group(0) @binding(5) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let key = id.x;
  let head = id.z;
  if (key >= batch.keys || id.y >= batch.rowCount) {
    return;
  }
  let row = batch.rows[id.y];
  var score = 0.0;
  if (key <= row.position) {
    let query = id.y * Q_STRIDE + head * HEAD_DIM;
    let at = (row.slot * CONTEXT + key) * N + head * HEAD_DIM;
    for (var i = 0u; i < HEAD_DIM; i++) {
      score += q[query + i] * cached(at + i);
    }
    score *= SCALE;
  } else {
    // WGSL has no literal for infinity, and refuses one that it can compute itself.
    var minusInfinity = 0xff800000u;
    score = bitcast<f32>(minusInfinity);
  }
  scores[(head * ROWS + id.y) * CONTEXT + key] = score;
}
