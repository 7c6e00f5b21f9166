// At each place of a source, in its keys or VALUES: SCALE Σ over the rows that see it, and the heads that it serves, of weights
// [nHead, rows, keys] * vectors [rows, nHead, headDim]; ADD: added to what is there
override VALUES: bool;
override PLACES: u32;
override VECTOR_STRIDE: u32;
override SCALE: f32;
override LAST_KEYS: u32; // a row sees so many of the last keys; 0: all
override ADD: bool;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> vectors: array<f32>;
@group(0) @binding(7) var<storage, read_write> into: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let place = id.y + id.z * groups.y;
  if (id.x >= N || place >= PLACES) { return; }
  let head = id.x / HEAD_DIM * GROUP;
  let at = select(0, arrayLength(&into) / 2, VALUES) + place * N + id.x;
  var sum = 0.0;
  for (var row = 0u; row < batch.rowCount; row++) {
    let seen = seenBy(row);
    let key = place - seen.first; // below 0 it is beyond every count
    if (place < seen.first || key >= seen.count || (LAST_KEYS > 0 && key + LAST_KEYS < seen.count)) { continue; }
    for (var own = head; own < head + GROUP; own++) {
      sum += weights[scoresAt(own, row) + key] * vectors[row * VECTOR_STRIDE + own * HEAD_DIM + id.x % HEAD_DIM];
    }
  }
  into[at] = sum * SCALE + select(0, into[at], ADD);
}
