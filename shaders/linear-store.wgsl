// Where the results of a linear layer go, in front of both of its kernels:
// act(sum + bias) * gate, or + residual, to `output`, and with CACHE the columns from KEYS_AT on to a source of keys.
override N: u32; // outputs of the part of the weight that is bound
override COLUMN: u32; // column of the output that its first row makes
override BIAS: bool;
override GATE: bool;
override RESIDUAL: bool;
override CACHE: bool;
override OUT_STRIDE: u32;
override KEYS_AT: u32; // the column of the first key; values follow the keys
override CACHE_WIDTH: u32; // nHead * headDim of the source
// bias, then the norm's weight and bias, each from a multiple of 64
@group(0) @binding(4) var<storage, read> vectors: array<vec4f>;
// of the gate, or of the residual
@group(0) @binding(5) var<storage, read> operand: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;

fn finished(column: u32, sum: f32) -> f32 {
  if (BIAS) {
    return activate(sum + vectors[column / 4][column % 4]);
  }
  return activate(sum);
}

// Where a column of keys or values is in the source, [2, places, nHead * headDim].
fn cacheAt(row: u32, column: u32) -> u32 {
  let at = column - KEYS_AT;
  return select(0, valuesStart(), at >= CACHE_WIDTH) + placeOf(row) * CACHE_WIDTH + at % CACHE_WIDTH;
}

fn store(row: u32, i: u32, sum: f32) {
  if (i >= N) {
    return;
  }
  let column = COLUMN + i;
  var value = finished(column, sum);
  if (CACHE && column >= KEYS_AT) {
    cacheWrite(cacheAt(row, column), value);
    return;
  }
  let at = row * OUT_STRIDE + column;
  if (GATE) {
    value *= operand[at];
  }
  if (RESIDUAL) {
    value += operand[at];
  }
  output[at] = value;
}

// Columns i and i + 1, i even.
fn store2(row: u32, i: u32, sums: vec2f) {
  let column = COLUMN + i;
  if (CACHE && CACHE_HALF && column >= KEYS_AT) {
    if (i < N) {
      cacheWriteHalves(cacheAt(row, column), vec2f(finished(column, sums.x), finished(column + 1, sums.y)));
    }
    return;
  }
  store(row, i, sums.x);
  store(row, i + 1, sums.y);
}

fn store4(row: u32, i: u32, sums: vec4f) {
  store2(row, i, sums.xy);
  store2(row, i + 2, sums.zw);
}
