// output [rows, nEmbd] = weight[token] + positionWeight[position]: the token and position embeddings in one go.
// The table of tokens may come in parts [FIRST, FIRST + COUNT); positions are float32.
override FIRST: u32;
override COUNT: u32;
@group(0) @binding(3) var<storage, read> positionWeights: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ROW_UNITS || id.y >= batch.rowCount) {
    return;
  }
  let row = batch.rows[id.y];
  if (row.token < FIRST || row.token >= FIRST + COUNT) {
    return;
  }
  let values = weights16(row.token - FIRST, id.x) * scale16(row.token - FIRST, id.x);
  let source = (row.position * ROW_UNITS + id.x) * 4;
  let target_at = (id.y * ROW_UNITS + id.x) * 4;
  for (var i = 0u; i < 4; i++) {
    output[target_at + i] = values[i] + positionWeights[source + i];
  }
}
