// Where the results of a linear layer go, in front of both of its kernels:
// act(sum + what an adapter adds + bias) * gate, or + residual, to `output`, and with CACHE the columns from KEYS_AT on to a source of keys.
// Of a gated layer, the first half's results, activated, times the second half's.
override N: u32; // outputs of the part of the weight that is bound
override COLUMN: u32; // column of the output that its first row makes
override BIAS: bool;
override UP: u32; // of a gated layer: from a row of the weight to that whose result multiplies it; else 0
override GATE: bool;
override RESIDUAL: bool;
override CACHE: bool;
override OUT_STRIDE: u32;
override KEYS_AT: u32; // the column of the first key; values follow the keys
override CACHE_WIDTH: u32; // nHead * headDim of the source
override LOW_RANK: u32; // an adapter's input is 1: `operand`, 2: `cache`, 0: nowhere
override LOW_RANK_AT: u32; // of its numbers in `vectors`, in vec4s; its rows lie behind them
// bias, then the norm's weight and bias, each from a multiple of 64, then an adapter's
@group(0) @binding(4) var<storage, read> vectors: array<vec4f>;
// of the gate, or of the residual
@group(0) @binding(5) var<storage, read> operand: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;

fn low4(at: u32) -> vec4f {
  if (LOW_RANK == 2) { return bitcast<vec4f>(vec4u(cache[at], cache[at + 1], cache[at + 2], cache[at + 3])); }
  return vec4f(operand[at], operand[at + 1], operand[at + 2], operand[at + 3]);
}

// What an adapter adds: a row of its input times the column's row, over the part's own share of the input.
fn lowRank(row: u32, column: u32) -> f32 {
  let numbers = vec4u(vectors[LOW_RANK_AT]); // quads of the rank, columns before two parts, stride of the input
  let part = select(0u, 1, column >= numbers.y) + select(0u, 1, column >= numbers.z);
  let start = row * numbers.w + part * numbers.x * 4;
  let to = LOW_RANK_AT + 1 + column * numbers.x;
  var sum = 0.0;
  for (var i = 0u; i < numbers.x; i++) {
    sum += dot(low4(start + i * 4), vectors[to + i]);
  }
  return sum;
}

fn biased(row: u32, column: u32, product: f32) -> f32 {
  var sum = product;
  if (LOW_RANK > 0) { sum += lowRank(row, column); }
  if (BIAS) { sum += vectors[column / 4][column % 4]; }
  return sum;
}

fn finished(row: u32, column: u32, sum: f32) -> f32 {
  return activate(biased(row, column, sum));
}

// Where a column of keys or values is in the source, [2, places, nHead * headDim].
fn cacheAt(row: u32, column: u32) -> u32 {
  let at = column - KEYS_AT;
  return select(0, valuesStart(), at >= CACHE_WIDTH) + placeOf(row) * CACHE_WIDTH + at % CACHE_WIDTH;
}

fn store(row: u32, i: u32, sum: f32) {
  if (i >= N) { return; }
  let column = COLUMN + i;
  var value = finished(row, column, sum);
  if (CACHE && column >= KEYS_AT) {
    cacheWrite(cacheAt(row, column), value);
    return;
  }
  let at = row * OUT_STRIDE + column;
  if (GATE) { value *= operand[at]; }
  if (RESIDUAL) { value += operand[at]; }
  output[at] = value;
}

// Column i of a gated layer.
fn storeGated(row: u32, i: u32, sum: f32, up: f32) {
  if (i < N) {
    let column = COLUMN + i;
    output[row * OUT_STRIDE + column] = finished(row, column, sum) * biased(row, column + UP, up);
  }
}

// Columns i to i + 3 of a gated layer.
fn storeGated4(row: u32, i: u32, sums: vec4f, ups: vec4f) {
  storeGated(row, i, sums.x, ups.x);
  storeGated(row, i + 1, sums.y, ups.y);
  storeGated(row, i + 2, sums.z, ups.z);
  storeGated(row, i + 3, sums.w, ups.w);
}

// Columns i and i + 1, i even.
fn store2(row: u32, i: u32, sums: vec2f) {
  let column = COLUMN + i;
  if (CACHE && CACHE_HALF && column >= KEYS_AT) {
    if (i < N) {
      cacheWriteHalves(cacheAt(row, column), vec2f(finished(row, column, sums.x), finished(row, column + 1, sums.y)));
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
