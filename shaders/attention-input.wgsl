// What the whole-attention kernels share: z [rows, nHead, headDim] = softmax(q · k * SCALE + bias) v over the keys that a row sees,
// by online softmax (Milakov & Gimelshein 2018): sums so far are rescaled when a larger score comes, so no score
// is stored. z is made in slices of 64 values; a head wider than that has its scores computed for each.
override Q_STRIDE: u32;
override OUT_STRIDE: u32;
override SCALE: f32;
@group(0) @binding(3) var<storage, read> q: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

override VECTORS = (HEAD_DIM + 3) / 4;
const SLICE_VECTORS = 16u;
// Of a masked key. What such keys add before the first one that a row sees goes when that rescales it, by 0.
const LOWEST = -3.4e38;

// Four values of a row's query, with zeros beyond the head.
fn query4(row: u32, head: u32, vector: u32) -> vec4f {
  let at = row * Q_STRIDE + head * HEAD_DIM + vector * 4;
  if (HEAD_DIM % 4 == 0) { return q[at / 4]; }
  var value = vec4f();
  for (var i = 0u; i < min(4, HEAD_DIM - vector * 4); i++) {
    value[i] = q[(at + i) / 4][(at + i) % 4];
  }
  return value;
}

fn vectorsIn(slice: u32) -> u32 {
  return min(SLICE_VECTORS, VECTORS - slice * SLICE_VECTORS);
}

fn storeVector(row: u32, head: u32, vector: u32, value: vec4f) {
  for (var i = 0u; i < min(4, HEAD_DIM - vector * 4); i++) {
    output[row * OUT_STRIDE + head * HEAD_DIM + vector * 4 + i] = value[i];
  }
}

fn largest(v: vec4f) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}

fn sumOf(v: vec4f) -> f32 {
  return dot(v, vec4f(1));
}
