// Attention of a row and head, for software GPUs: each lane takes four keys at a time and keeps its own maximum, sum and
// mix; one barrier, at the end, before they are put together.
const LANES = 4u; // what SwiftShader computes at once
var<workgroup> tops: array<f32, LANES>;
var<workgroup> sums: array<f32, LANES>;
var<workgroup> mixes: array<vec4f, LANES * SLICE_VECTORS>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let slice = group.z * SLICE_VECTORS;
  let vectors = vectorsIn(group.z);
  let seen = seenBy(group.y);
  let last = max(seen.count, 1) - 1;
  let keys = keyAt(seen.first, head);
  let values = valuesStart() + keys + slice * 4;
  var top = LOWEST;
  var sum = 0.0;
  var mix: array<vec4f, SLICE_VECTORS>;
  for (var key = lane * 4; key <= last; key += LANES * 4) {
    let four = vec4u(key, key + 1, key + 2, key + 3);
    // A key past the last is read as the last, and weighs nothing.
    let at = min(four, vec4u(last)) * N;
    var scores = vec4f();
    for (var vector = 0u; vector < VECTORS; vector++) {
      let k = keys + at + vector * 4;
      scores += query4(group.y, head, vector) * mat4x4f(cached4(k.x), cached4(k.y), cached4(k.z), cached4(k.w));
    }
    scores = select(vec4f(LOWEST), scores * SCALE + bias4(head, seen.first + key, seen.place), four <= vec4u(last));
    let before = top;
    top = max(top, largest(scores));
    let weights = exp(scores - top);
    let rescale = exp(before - top);
    sum = sum * rescale + sumOf(weights);
    for (var vector = 0u; vector < vectors; vector++) {
      let v = values + at + vector * 4;
      mix[vector] = mix[vector] * rescale + mat4x4f(cached4(v.x), cached4(v.y), cached4(v.z), cached4(v.w)) * weights;
    }
  }
  tops[lane] = top;
  sums[lane] = sum;
  for (var vector = 0u; vector < vectors; vector++) {
    mixes[lane * SLICE_VECTORS + vector] = mix[vector];
  }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < LANES; i++) {
    top = max(top, tops[i]);
  }
  for (var i = 0u; i < LANES; i++) {
    total += sums[i] * exp(tops[i] - top);
  }
  for (var vector = lane; vector < vectors; vector += LANES) {
    var value = vec4f();
    for (var i = 0u; i < LANES; i++) {
      value += mixes[i * SLICE_VECTORS + vector] * exp(tops[i] - top);
    }
    storeVector(group.y, head, slice + vector, value / total);
  }
}
