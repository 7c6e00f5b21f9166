// output [words, n]: to the row FIRST + a row's number its grad [rows, n] * SCALE is added. An invocation has a column to itself, so that
// rows with one number are added in their order.
override BY: u32; // 0 token, 1 position, 2 segment, 3 the row whose logits it has
override FIRST: u32;
override PART_FIRST: u32; // of the rows that are bound
override PART_ROWS: u32;
override SCALE: f32;
override PADDING: u32; // the number that gets none
override N: u32;
override STRIDE: u32;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

fn numberOf(row: u32) -> u32 {
  switch BY {
    case 0: { return batch.rows[row].token; }
    case 1: { return batch.rows[row].position; }
    case 2: { return batch.rows[row].segment; }
    default: { return batch.rows[row].logitRow; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= N) { return; }
  for (var row = 0u; row < rowCount(); row++) {
    let number = numberOf(row);
    let at = number + FIRST - PART_FIRST; // below it is beyond all rows
    if (number != PADDING && at < PART_ROWS) {
      output[at * STRIDE + id.x] += grad[row * STRIDE + id.x] * SCALE;
    }
  }
}
