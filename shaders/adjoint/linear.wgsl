// output [rows, in] = grad [rows, out] · weight [out, in] + before, for the rows [WEIGHT_FIRST, WEIGHT_FIRST + COUNT) of the bound part of
// the weight, which go with the grad's columns from GRAD_FIRST on. ADD: the output has a part of the sum already. An invocation has a
// unit of columns and four rows, so that a weight is unpacked once for them. Up to three grads lie side by side, where the weight is in one
// part; in place of the second, SLOPE: the input of an activation, by whose derivative the sum is multiplied.
override GRAD_FIRST: u32;
override GRAD_STRIDE: u32;
override WEIGHT_FIRST: u32;
override COUNT: u32;
override BEFORE: bool;
override ADD: bool;
override COUNT2: u32;
override STRIDE2: u32;
override COUNT3: u32;
override STRIDE3: u32;
override SLOPE: bool;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read> before: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4f>;
@group(0) @binding(6) var<storage, read> second: array<f32>;
@group(0) @binding(7) var<storage, read> third: array<f32>;

fn slope4(at: u32) -> vec4f {
  return vec4f(slope(second[at]), slope(second[at + 1]), slope(second[at + 2]), slope(second[at + 3]));
}

fn store(row: u32, unit: u32, sum: mat4x4f) {
  if (row >= rowCount()) { return; }
  let at = (row * ROW_UNITS + unit) * 4;
  for (var i = 0u; i < 4; i++) {
    var value = sum[i];
    if (ADD) {
      value += output[at + i];
    }
    if (BEFORE) {
      value += before[at + i];
    }
    if (SLOPE) {
      value *= slope4((at + i) * 4);
    }
    output[at + i] = value;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ROW_UNITS) { return; }
  let row = id.y * 4;
  let last = rowCount() - 1;
  let a = row * GRAD_STRIDE + GRAD_FIRST;
  let b = min(row + 1, last) * GRAD_STRIDE + GRAD_FIRST;
  let c = min(row + 2, last) * GRAD_STRIDE + GRAD_FIRST;
  let d = min(row + 3, last) * GRAD_STRIDE + GRAD_FIRST;
  var sumA = mat4x4f();
  var sumB = mat4x4f();
  var sumC = mat4x4f();
  var sumD = mat4x4f();
  for (var o = 0u; o < COUNT; o++) {
    let weights = weights16(WEIGHT_FIRST + o, id.x) * scale16(WEIGHT_FIRST + o, id.x);
    sumA += weights * grad[a + o];
    sumB += weights * grad[b + o];
    sumC += weights * grad[c + o];
    sumD += weights * grad[d + o];
  }
  for (var o = 0u; o < COUNT2; o++) {
    let weights = weights16(COUNT + o, id.x) * scale16(COUNT + o, id.x);
    sumA += weights * second[row * STRIDE2 + o];
    sumB += weights * second[min(row + 1, last) * STRIDE2 + o];
    sumC += weights * second[min(row + 2, last) * STRIDE2 + o];
    sumD += weights * second[min(row + 3, last) * STRIDE2 + o];
  }
  for (var o = 0u; o < COUNT3; o++) {
    let weights = weights16(COUNT + COUNT2 + o, id.x) * scale16(COUNT + COUNT2 + o, id.x);
    sumA += weights * third[row * STRIDE3 + o];
    sumB += weights * third[min(row + 1, last) * STRIDE3 + o];
    sumC += weights * third[min(row + 2, last) * STRIDE3 + o];
    sumD += weights * third[min(row + 3, last) * STRIDE3 + o];
  }
  store(row, id.x, sumA);
  store(row + 1, id.x, sumB);
  store(row + 2, id.x, sumC);
  store(row + 3, id.x, sumD);
}
