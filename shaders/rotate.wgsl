// output [rows, nHead, headDim] = input, each head's first PAIRS pairs turned by the angles of the row's position
override WIDTH: u32;
override HEAD_DIM: u32;
override STRIDE: u32;
override PAIRS: u32;
override TABLE_STRIDE: u32;
override TURN: f32; // 1 forward, -1 back
@group(0) @binding(3) var<storage, read> input: array<f32>;
@group(0) @binding(4) var<storage, read> table: array<f32>; // [positions, cosines then sines]
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= WIDTH || id.y >= batch.rowCount) { return; }
  let at = id.y * STRIDE + id.x;
  let i = id.x % HEAD_DIM;
  var value = input[at];
  if (i < 2 * PAIRS) {
    let pair = batch.rows[id.y].position * TABLE_STRIDE + i % PAIRS;
    let other = input[select(at + PAIRS, at - PAIRS, i >= PAIRS)] * select(-TURN, TURN, i >= PAIRS);
    value = value * table[pair] + other * table[pair + PAIRS];
  }
  output[at] = value;
}
