// Attention of many rows, for real GPUs: a workgroup takes 64 rows, one a lane, and brings sixteen keys and values at a time
// through workgroup memory. It walks from its first row's first key to its last row's last: what is masked for all is skipped.
const ROWS = 64u;
const KEYS = 16u;
var<workgroup> tile: array<array<vec4f, SLICE_VECTORS>, KEYS>;

// 64 values of each of sixteen keys into the tile; `start` is that of place 0.
fn fetch(start: u32, key: u32, last: u32, slice: u32, lane: u32) {
  workgroupBarrier();
  let vector = lane % SLICE_VECTORS;
  for (var i = lane / SLICE_VECTORS; i < KEYS; i += ROWS / SLICE_VECTORS) {
    let at = start + min(key + i, last) * N + min(slice + vector, VECTORS - 1) * 4;
    tile[i][vector] = cached4(at);
  }
  workgroupBarrier();
}

@compute @workgroup_size(ROWS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let slice = group.z * SLICE_VECTORS;
  // A lane past the last row works as the last, and stores nothing.
  let end = batch.rowCount - 1;
  let row = min(group.x * ROWS + lane, end);
  let seen = seenBy(row);
  let first = seenBy(group.x * ROWS).first;
  let lastRow = seenBy(min(group.x * ROWS + ROWS - 1, end));
  let last = max(lastRow.first + lastRow.count, 1) - 1;
  var top = LOWEST;
  var sum = 0.0;
  var mix: array<vec4f, SLICE_VECTORS>;
  var scores: array<f32, KEYS>;
  for (var key = first; key <= last; key += KEYS) {
    scores = array<f32, KEYS>(); // not left to a declaration here: Dawn on SwiftShader makes that zero just once
    for (var part = 0u; part < VECTORS; part += SLICE_VECTORS) {
      fetch(keyAt(0, head), key, last, part, lane);
      for (var vector = 0u; vector < min(SLICE_VECTORS, VECTORS - part); vector++) {
        let query = query4(row, head, part + vector);
        for (var i = 0u; i < KEYS; i++) {
          scores[i] += dot(query, tile[i][vector]);
        }
      }
    }
    fetch(valuesStart() + keyAt(0, head), key, last, slice, lane);
    let before = top;
    for (var i = 0u; i < KEYS; i++) {
      let score = scores[i] * SCALE + biasOf(head, key + i, seen.place);
      scores[i] = select(LOWEST, score, key + i - seen.first < seen.count); // before the first it wraps round
      top = max(top, scores[i]);
    }
    let rescale = exp(before - top);
    sum *= rescale;
    for (var i = 0u; i < KEYS; i++) {
      scores[i] = exp(scores[i] - top);
      sum += scores[i];
    }
    for (var vector = 0u; vector < SLICE_VECTORS; vector++) {
      var value = mix[vector] * rescale;
      for (var i = 0u; i < KEYS; i++) {
        value += scores[i] * tile[i][vector];
      }
      mix[vector] = value;
    }
  }
  if (group.x * ROWS + lane <= end) {
    for (var vector = 0u; vector < vectorsIn(group.z); vector++) {
      storeVector(row, head, slice + vector, mix[vector] / sum);
    }
  }
}
