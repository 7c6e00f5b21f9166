// z [rows, nHead, headDim] = pattern [nHead, rows, keys] · v, or with OF_KEYS a gradient of scores · k * SCALE: of the queries
override OF_KEYS: bool = false;
override SCALE: f32 = 1;
override WIDTH: u32; // nHead * headDim
override OUT_STRIDE: u32;
@group(0) @binding(3) var<storage, read> pattern: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= WIDTH || id.y >= batch.rowCount) { return; }
  let head = id.x / HEAD_DIM;
  let weights = scoresAt(head, id.y);
  let seen = seenBy(id.y);
  let values = select(valuesStart(), 0, OF_KEYS) + keyAt(seen.first, head) + id.x % HEAD_DIM;
  var sum = 0.0;
  for (var key = 0u; key < seen.count; key++) {
    sum += pattern[weights + key] * cached(values + key * N);
  }
  output[id.y * OUT_STRIDE + id.x] = sum * SCALE;
}
