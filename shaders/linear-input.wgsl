// What all kernels of linear layers share: the rows of x, normed on the way in where a norm is fused.
override K: u32; // inputs of a norm
override NORM: bool;
override NORMED: bool; // the normed rows are kept, where a cache would be
override CENTRED: bool; // the norm takes the mean off
override EPSILON: f32;
override NORM_AT: u32; // of the norm's weight in `vectors`, in vec4s
override SELECT: bool; // of x only the rows whose logits are wanted
override WEIGHT_ROW: u32; // first row used of the part of the weight that is bound
@group(0) @binding(3) var<storage, read> x: array<vec4f>;

struct Statistics {
  mean: f32,
  factor: f32, // 1 / sqrt(variance + epsilon)
}

// The row of x that makes a row of the output.
fn inputRow(row: u32) -> u32 {
  if (SELECT) { return batch.rows[row].logitRow; } // a chunk of a loss has rows that the batch does not list
  return row;
}

// The row of the weight that makes output i. Those beyond the last make it again, and nothing of them is stored: a row read beyond the
// weight is one of somebody else's, or of nobody's, where no one checks bounds.
fn weightRow(i: u32) -> u32 {
  return WEIGHT_ROW + min(i, UP + N - 1);
}

// The rows of outputs i to i + 3.
fn weightRows(i: u32) -> vec4u {
  return vec4u(weightRow(i), weightRow(i + 1), weightRow(i + 2), weightRow(i + 3));
}

// What a norm that is not centred has in place of a mean.
fn centre(mean: f32) -> f32 {
  return select(0, mean, CENTRED);
}

// Sum, and sum of squares, of the distances of four inputs from a pivot; none for those past the end of a row that ends among them.
fn moments(start: u32, k4: u32, pivot: f32) -> vec2f {
  var d = x[start + k4] - pivot;
  if (K % 4 != 0) { d = select(vec4f(), d, vec4u(k4 * 4) + vec4u(0, 1, 2, 3) < vec4u(K)); }
  return vec2f(dot(d, vec4f(1)), dot(d, d));
}

// From the moments of the whole row: one pass over it, exact enough as long as the pivot is near the values (Chan, Golub &
// LeVeque 1983, the shifted algorithm).
fn statisticsOf(sums: vec2f, pivot: f32) -> Statistics {
  let shift = centre(sums.x / f32(K));
  return Statistics(pivot + shift, inverseSqrt(max(sums.y / f32(K) - shift * shift, 0) + EPSILON));
}

fn normed(value: vec4f, at: u32, s: Statistics) -> vec4f {
  return (value - s.mean) * s.factor * vectors[NORM_AT + at] + vectors[NORM_AT + ROW_UNITS * 4 + at];
}

// Four inputs, normed.
fn input4(start: u32, at: u32, s: Statistics) -> vec4f {
  let value = x[start + at];
  if (NORM) { return normed(value, at, s); }
  return value;
}

fn input16(start: u32, unit: u32, s: Statistics) -> mat4x4f {
  let at = unit * 4;
  return mat4x4f(
    input4(start, at, s),
    input4(start, at + 1, s),
    input4(start, at + 2, s),
    input4(start, at + 3, s),
  );
}

// Keeps a normed row, which starts at `start` as x's does: every `step`-th four inputs from `first` on. Padding stays as it is.
fn keepNormed(start: u32, first: u32, step: u32, s: Statistics) {
  for (var at = first; at < (K + 3) / 4; at += step) {
    let value = normed(x[start + at], at, s);
    for (var i = 0u; i < min(4, K - at * 4); i++) {
      cache[(start + at) * 4 + i] = bitcast<u32>(value[i]);
    }
  }
}

// Whether this workgroup is one of those that keep them: each row is in one of these.
fn keepsNormed(column: u32) -> bool {
  return NORMED && COLUMN == 0 && column == 0;
}
