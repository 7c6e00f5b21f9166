// output [nHead, rows, keys] = grad [rows, nHead, headDim] · the values of the keys that the row sees, 0 beyond: of the pattern
override GRAD_STRIDE: u32;
override LAST_KEYS: u32; // a row sees so many of the last keys; 0: all
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let key = id.x;
  if (key >= keyCount() || id.y >= batch.rowCount) { return; }
  let seen = seenBy(id.y);
  var sum = 0.0;
  if (key < seen.count && (LAST_KEYS == 0 || key + LAST_KEYS >= seen.count)) {
    let query = id.y * GRAD_STRIDE + id.z * HEAD_DIM;
    let at = valuesStart() + keyAt(seen.first + key, id.z);
    for (var i = 0u; i < HEAD_DIM; i++) {
      sum += grad[query + i] * cached(at + i);
    }
  }
  output[scoresAt(id.z, id.y) + key] = sum;
}
