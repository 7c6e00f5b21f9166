// z [rows, nHead, headDim]: scores, mask, softmax and mix in one, by online softmax (Milakov & Gimelshein 2018).
// One workgroup a row and head. It walks the keys in blocks of one key a lane; the sum so far is rescaled
// whenever a block brings a larger score, so no score is stored beyond its block.
override N: u32; // nHead * headDim
override HEAD_DIM: u32;
override Q_STRIDE: u32;
override OUT_STRIDE: u32;
override CONTEXT: u32;
override SLOTS: u32;
override SCALE: f32;
@group(0) @binding(3) var<storage, read> q: array<f32>;
@group(0) @binding(4) var<storage, read> cache: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

const LANES = 64u;
var<workgroup> scores: array<f32, LANES>;
var<workgroup> mixed: array<f32, HEAD_DIM>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = batch.rows[group.x];
  let length = row.position + 1;
  let query = group.x * Q_STRIDE + group.y * HEAD_DIM;
  let keys = row.slot * CONTEXT * N + group.y * HEAD_DIM;
  let values = keys + SLOTS * CONTEXT * N;
  var top = -3.4e38;
  var sum = 0.0;
  for (var i = lane; i < HEAD_DIM; i += LANES) {
    mixed[i] = 0;
  }
  for (var block = 0u; block < length; block += LANES) {
    let count = min(LANES, length - block);
    if (lane < count) {
      let at = keys + (block + lane) * N;
      var score = 0.0;
      for (var i = 0u; i < HEAD_DIM; i++) {
        score += q[query + i] * cache[at + i];
      }
      scores[lane] = score * SCALE;
    }
    workgroupBarrier();
    // Every lane does the same small reduction: cheaper than a tree of barriers.
    var newTop = top;
    for (var i = 0u; i < count; i++) {
      newTop = max(newTop, scores[i]);
    }
    let rescale = exp(top - newTop);
    sum *= rescale;
    for (var i = 0u; i < count; i++) {
      sum += exp(scores[i] - newTop);
    }
    top = newTop;
    for (var i = lane; i < HEAD_DIM; i += LANES) {
      var value = mixed[i] * rescale;
      for (var j = 0u; j < count; j++) {
        value += exp(scores[j] - top) * cache[values + (block + j) * N + i];
      }
      mixed[i] = value;
    }
    workgroupBarrier();
  }
  for (var i = lane; i < HEAD_DIM; i += LANES) {
    output[group.x * OUT_STRIDE + group.y * HEAD_DIM + i] = mixed[i] / sum;
  }
}
