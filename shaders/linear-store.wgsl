// Where the results of a linear layer go, in front of both of its kernels:
// act(sum + bias) + residual to `output`, and with CACHE the second and third third to the KV cache.
override N: u32; // outputs of the part of the weight that is bound
override COLUMN: u32; // column of the output that its first row makes
override BIAS: bool;
override RESIDUAL: bool;
override CACHE: bool;
override OUT_STRIDE: u32;
override CACHE_WIDTH: u32; // nHead * headDim
override CONTEXT: u32;
override SLOTS: u32;
// bias, then the norm's weight and bias, each from a multiple of 64
@group(0) @binding(4) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;
@group(0) @binding(7) var<storage, read_write> cache: array<f32>;

fn store(row: u32, i: u32, sum: f32) {
  if (i >= N) {
    return;
  }
  let column = COLUMN + i;
  var value = sum;
  if (BIAS) {
    value += vectors[column / 4][column % 4];
  }
  value = activate(value);
  if (CACHE && column >= CACHE_WIDTH) {
    // [2, slots, context, nHead * headDim]
    let slot = select(0, SLOTS, column >= 2 * CACHE_WIDTH) + batch.rows[row].slot;
    cache[(slot * CONTEXT + batch.rows[row].position) * CACHE_WIDTH + column % CACHE_WIDTH] = value;
    return;
  }
  let at = row * OUT_STRIDE + column;
  if (RESIDUAL) {
    value += residual[at];
  }
  output[at] = value;
}

fn store4(row: u32, i: u32, sums: vec4f) {
  store(row, i, sums.x);
  store(row, i + 1, sums.y);
  store(row, i + 2, sums.z);
  store(row, i + 3, sums.w);
}
