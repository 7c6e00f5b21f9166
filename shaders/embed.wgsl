// output [rows, nEmbd] = weight[token or position], for the part of the table [FIRST, FIRST + COUNT) that is bound
override BY_POSITION: bool;
override FIRST: u32;
override COUNT: u32;
@group(0) @binding(3) var<storage, read_write> output: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ROW_UNITS || id.y >= batch.rowCount) {
    return;
  }
  let index = select(batch.rows[id.y].token, batch.rows[id.y].position, BY_POSITION);
  if (index < FIRST || index >= FIRST + COUNT) {
    return;
  }
  let values = weights16(index - FIRST, id.x) * scale16(index - FIRST, id.x);
  let at = (id.y * ROW_UNITS + id.x) * 4;
  for (var i = 0u; i < 4; i++) {
    output[at + i] = values[i];
  }
}
