// Queries, keys and values of a row at once: queries are turned (see rotate.wgsl) to `output` [rows, nHead, headDim], turned keys and
// the values go to a source. With NORM each head of queries and keys is normed by its root mean square first: every invocation sums
// the head's squares for itself, which takes no barrier.
override HEADS: u32; // of the queries
override KEY_HEADS: u32; // of the keys, and of the values
override HEAD_DIM: u32;
override PAIRS: u32;
override TABLE_STRIDE: u32;
override Q_AT: u32; // of the first value in a row
override K_AT: u32;
override V_AT: u32;
override Q_STRIDE: u32;
override K_STRIDE: u32;
override V_STRIDE: u32;
override OUT_STRIDE: u32;
override NORM: bool;
override Q_EPSILON: f32;
override K_EPSILON: f32;
override K_WEIGHT_AT: u32; // of the keys' norm in `normWeights`, behind the queries'
override EACH: u32; // values that an invocation makes, an even number: the cache takes halves by twos
@group(0) @binding(1) var<storage, read> normWeights: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>; // [positions, cosines then sines]
@group(0) @binding(3) var<storage, read> q: array<f32>;
@group(0) @binding(4) var<storage, read> k: array<f32>;
@group(0) @binding(5) var<storage, read> v: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;

override PER_HEAD = (HEAD_DIM + EACH - 1) / EACH;

// A head of a row: its first value in q, or k, and what a norm makes of it.
struct Head {
  start: u32,
  isKey: bool,
  factor: f32, // 1 / sqrt(mean of squares + epsilon)
}

fn given(head: Head, i: u32) -> f32 {
  if (head.isKey) { return k[head.start + i]; }
  return q[head.start + i];
}

fn headOf(start: u32, isKey: bool) -> Head {
  var head = Head(start, isKey, 1);
  if (NORM) {
    var squares = 0.0;
    for (var i = 0u; i < HEAD_DIM; i++) {
      let value = given(head, i);
      squares += value * value;
    }
    head.factor = inverseSqrt(squares / f32(HEAD_DIM) + select(Q_EPSILON, K_EPSILON, isKey));
  }
  return head;
}

fn normed(head: Head, i: u32) -> f32 {
  let value = given(head, i);
  if (NORM) { return value * head.factor * normWeights[select(0u, K_WEIGHT_AT, head.isKey) + i]; }
  return value;
}

fn turned(head: Head, i: u32, position: u32) -> f32 {
  let value = normed(head, i);
  if (i >= 2 * PAIRS) { return value; }
  let pair = position * TABLE_STRIDE + i % PAIRS;
  let isSecond = i >= PAIRS;
  let other = normed(head, select(i + PAIRS, i - PAIRS, isSecond));
  return value * table[pair] + select(-other, other, isSecond) * table[pair + PAIRS];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let number = id.x / PER_HEAD;
  if (number >= HEADS + 2 * KEY_HEADS || row >= batch.rowCount) { return; }
  let first = id.x % PER_HEAD * EACH;
  let end = min(first + EACH, HEAD_DIM);
  let position = batch.rows[row].position;
  if (number < HEADS) {
    let head = headOf(row * Q_STRIDE + Q_AT + number * HEAD_DIM, false);
    for (var i = first; i < end; i++) {
      output[row * OUT_STRIDE + number * HEAD_DIM + i] = turned(head, i, position);
    }
    return;
  }
  let own = (number - HEADS) % KEY_HEADS * HEAD_DIM;
  let at = placeOf(row) * KEY_HEADS * HEAD_DIM + own;
  if (number < HEADS + KEY_HEADS) {
    let head = headOf(row * K_STRIDE + K_AT + own, true);
    for (var i = first; i < end; i += 2) {
      cacheWriteBoth(at + i, vec2f(turned(head, i, position), turned(head, i + 1, position)), i + 1 < HEAD_DIM);
    }
    return;
  }
  let start = row * V_STRIDE + V_AT + own;
  for (var i = first; i < end; i += 2) {
    cacheWriteBoth(valuesStart() + at + i, vec2f(v[start + i], v[start + i + 1]), i + 1 < HEAD_DIM);
  }
}
