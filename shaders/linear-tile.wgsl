// output [rows, out] = x weightᵀ for many rows: 8 rows x 4 outputs in the registers of one invocation, no barrier.
// A 4x4 block of weights (four rows of weight, four inputs) times a 4x4 block of x is one matrix product.
override SELECT: bool; // rows are the logit rows
override WEIGHT_ROW: u32; // first row used of the part of the weight that is bound
@group(0) @binding(3) var<storage, read> x: array<vec4f>;

fn count() -> u32 {
  return select(batch.rowCount, batch.logitCount, SELECT);
}

// Start of a row of x; rows beyond the last repeat it and are not stored.
fn startOf(row: u32) -> u32 {
  let last = min(row, count() - 1);
  return select(last, batch.rows[last].logitRow, SELECT) * ROW_UNITS * 4;
}

@compute @workgroup_size(8, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x * 4;
  let row = id.y * 8;
  if (i >= N || row >= count()) {
    return;
  }
  let x0 = startOf(row);
  let x1 = startOf(row + 1);
  let x2 = startOf(row + 2);
  let x3 = startOf(row + 3);
  let x4 = startOf(row + 4);
  let x5 = startOf(row + 5);
  let x6 = startOf(row + 6);
  let x7 = startOf(row + 7);
  var low = mat4x4f(); // column r: outputs i ..= i + 3 of row r
  var high = mat4x4f();
  let w = WEIGHT_ROW + i;
  for (var unit = 0u; unit < ROW_UNITS; unit++) {
    let w0 = weights16(w, unit) * scale16(w, unit);
    let w1 = weights16(w + 1, unit) * scale16(w + 1, unit);
    let w2 = weights16(w + 2, unit) * scale16(w + 2, unit);
    let w3 = weights16(w + 3, unit) * scale16(w + 3, unit);
    let at = unit * 4;
    for (var k = 0u; k < 4; k++) {
      let block = transpose(mat4x4f(w0[k], w1[k], w2[k], w3[k]));
      let j = at + k;
      low += block * mat4x4f(x[x0 + j], x[x1 + j], x[x2 + j], x[x3 + j]);
      high += block * mat4x4f(x[x4 + j], x[x5 + j], x[x6 + j], x[x7 + j]);
    }
  }
  for (var r = 0u; r < 4; r++) {
    if (row + r < count()) {
      store4(row + r, i, low[r]);
    }
    if (row + r + 4 < count()) {
      store4(row + r + 4, i, high[r]);
    }
  }
}
