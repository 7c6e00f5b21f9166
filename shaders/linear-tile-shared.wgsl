// output [rows, out] = x weightᵀ for many rows, on real GPUs: a workgroup of 256 makes a tile of 64 rows x 64 outputs, 16
// inputs at a time through workgroup memory; each invocation keeps 4 rows x 4 outputs in registers.
const SIDE = 64u;
var<workgroup> xTile: array<vec4f, 256>; // [row of the tile, quarter of the unit]
var<workgroup> wTile: array<vec4f, 256>;

// Of the row that four invocations have in common.
fn statistics(start: u32, lane: u32) -> Statistics {
  let pivot = centre(moments(start, 0, 0).x / 4);
  var sums = vec2f();
  for (var k = lane % 4; k < (K + 3) / 4; k += 4) {
    sums += moments(start, k, pivot);
  }
  xTile[lane] = vec4f(sums, 0, 0);
  workgroupBarrier();
  let first = lane - lane % 4;
  let all = xTile[first] + xTile[first + 1] + xTile[first + 2] + xTile[first + 3];
  workgroupBarrier();
  return statisticsOf(all.xy, pivot);
}

// The row of weights that is a tile's i-th: of a gated layer two, then the two that multiply them, so that one invocation has both.
fn tileRow(i: u32) -> u32 {
  if (UP > 0) { return i / 4 * 2 + i % 2 + select(0u, UP, i % 4 >= 2); }
  return i;
}

@compute @workgroup_size(16, 16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let firstOutput = group.x * select(SIDE, SIDE / 2u, UP > 0);
  let firstRow = group.y * SIDE;
  let xStart = startOf(firstRow + lane / 4);
  var s = Statistics(0, 1);
  if (NORM) { s = statistics(xStart, lane); }
  if (keepsNormed(group.x) && firstRow + lane / 4 < rowCount()) { keepNormed(xStart, lane % 4, 4, s); }
  let i = local.x * 4;
  let r = local.y * 4;
  var sums = mat4x4f(); // column j: outputs i ..= i + 3 of row r + j
  for (var unit = 0u; unit < ROW_UNITS; unit++) {
    xTile[lane] = input4(xStart, unit * 4 + lane % 4, s);
    if (lane < SIDE) {
      let w = scaled16(weightRow(firstOutput + tileRow(lane)), unit);
      wTile[lane * 4] = w[0];
      wTile[lane * 4 + 1] = w[1];
      wTile[lane * 4 + 2] = w[2];
      wTile[lane * 4 + 3] = w[3];
    }
    workgroupBarrier();
    for (var k = 0u; k < 4; k++) {
      // A row vector times a matrix is its dot product with each column.
      let w = mat4x4f(wTile[i * 4 + k], wTile[(i + 1) * 4 + k], wTile[(i + 2) * 4 + k], wTile[(i + 3) * 4 + k]);
      sums[0] += xTile[r * 4 + k] * w;
      sums[1] += xTile[(r + 1) * 4 + k] * w;
      sums[2] += xTile[(r + 2) * 4 + k] * w;
      sums[3] += xTile[(r + 3) * 4 + k] * w;
    }
    workgroupBarrier();
  }
  for (var j = 0u; j < 4; j++) {
    let row = firstRow + r + j;
    if (row < rowCount()) {
      if (UP > 0) {
        storeGated(row, firstOutput + i / 2, sums[j].x, sums[j].z);
        storeGated(row, firstOutput + i / 2 + 1, sums[j].y, sums[j].w);
      } else {
        store4(row, firstOutput + i, sums[j]);
      }
    }
  }
}
