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
    // Written out: a matrix column picked by a loop variable would live in memory, not in registers.
    let block0 = transpose(mat4x4f(w0[0], w1[0], w2[0], w3[0]));
    low += block0 * mat4x4f(x[x0 + at], x[x1 + at], x[x2 + at], x[x3 + at]);
    high += block0 * mat4x4f(x[x4 + at], x[x5 + at], x[x6 + at], x[x7 + at]);
    let block1 = transpose(mat4x4f(w0[1], w1[1], w2[1], w3[1]));
    low += block1 * mat4x4f(x[x0 + at + 1], x[x1 + at + 1], x[x2 + at + 1], x[x3 + at + 1]);
    high += block1 * mat4x4f(x[x4 + at + 1], x[x5 + at + 1], x[x6 + at + 1], x[x7 + at + 1]);
    let block2 = transpose(mat4x4f(w0[2], w1[2], w2[2], w3[2]));
    low += block2 * mat4x4f(x[x0 + at + 2], x[x1 + at + 2], x[x2 + at + 2], x[x3 + at + 2]);
    high += block2 * mat4x4f(x[x4 + at + 2], x[x5 + at + 2], x[x6 + at + 2], x[x7 + at + 2]);
    let block3 = transpose(mat4x4f(w0[3], w1[3], w2[3], w3[3]));
    low += block3 * mat4x4f(x[x0 + at + 3], x[x1 + at + 3], x[x2 + at + 3], x[x3 + at + 3]);
    high += block3 * mat4x4f(x[x4 + at + 3], x[x5 + at + 3], x[x6 + at + 3], x[x7 + at + 3]);
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
