// output [rows, nHead, headDim] = SCALE Σ over the keys that the row sees of grad [nHead, rows, keys] * keys: of the queries
override WIDTH: u32; // nHead * headDim
override OUT_STRIDE: u32;
override SCALE: f32;
override LAST_KEYS: u32; // a row sees so many of the last keys; 0: all
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= WIDTH || id.y >= batch.rowCount) {
    return;
  }
  let head = id.x / HEAD_DIM;
  let grads = scoresAt(head, id.y);
  let seen = seenBy(id.y);
  let at = keyAt(seen.first, head) + id.x % HEAD_DIM;
  var sum = 0.0;
  for (var key = select(0, seen.count - min(seen.count, LAST_KEYS), LAST_KEYS > 0); key < seen.count; key++) {
    sum += grad[grads + key] * cached(at + key * N);
  }
  output[id.y * OUT_STRIDE + id.x] = sum * SCALE;
}
