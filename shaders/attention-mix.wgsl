// z [rows, nHead, headDim] = pattern [nHead, rows, context] · v
override N: u32; // nHead * headDim
override HEAD_DIM: u32;
override OUT_STRIDE: u32;
override CONTEXT: u32;
override SLOTS: u32;
override ROWS: u32; // rows the pattern has room for
@group(0) @binding(3) var<storage, read> pattern: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N || id.y >= batch.rowCount) {
    return;
  }
  let row = batch.rows[id.y];
  let weights = ((id.x / HEAD_DIM) * ROWS + id.y) * CONTEXT;
  let values = (SLOTS + row.slot) * CONTEXT * N + id.x;
  var sum = 0.0;
  for (var key = 0u; key <= row.position; key++) {
    sum += pattern[weights + key] * cached(values + key * N);
  }
  output[id.y * OUT_STRIDE + id.x] = sum;
}
