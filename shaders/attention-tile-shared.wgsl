// Attention of many rows of one slot, for real GPUs: a workgroup takes 64 rows, one a lane, and brings sixteen keys and
// values at a time through workgroup memory. It ends at its last row's key: what is masked for all is skipped.
const ROWS = 64u;
const KEYS = 16u;
var<workgroup> tile: array<array<vec4f, SLICE_QUADS>, KEYS>;

// 64 values of each of sixteen keys into the tile.
fn fetch(start: u32, key: u32, last: u32, slice: u32, lane: u32) {
  workgroupBarrier();
  let quad = lane % SLICE_QUADS;
  for (var i = lane / SLICE_QUADS; i < KEYS; i += ROWS / SLICE_QUADS) {
    let at = start + min(key + i, last) * N + min(slice + quad, QUADS - 1) * 4;
    tile[i][quad] = cached4(at);
  }
  workgroupBarrier();
}

@compute @workgroup_size(ROWS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let slice = group.z * SLICE_QUADS;
  // Rows of one slot follow one another; a lane past the last row works as the last, and stores nothing.
  let end = batch.rowCount - 1;
  let row = min(group.x * ROWS + lane, end);
  let last = batch.rows[min(group.x * ROWS + ROWS - 1, end)].position;
  let position = batch.rows[row].position;
  let slot = batch.rows[row].slot;
  var top = LOWEST;
  var sum = 0.0;
  var mix: array<vec4f, SLICE_QUADS>;
  var scores: array<f32, KEYS>;
  for (var key = 0u; key <= last; key += KEYS) {
    scores = array<f32, KEYS>(); // not left to a declaration here: Dawn on SwiftShader makes that zero just once
    for (var part = 0u; part < QUADS; part += SLICE_QUADS) {
      fetch(keysOf(slot, head), key, last, part, lane);
      for (var quad = 0u; quad < min(SLICE_QUADS, QUADS - part); quad++) {
        let query = query4(row, head, part + quad);
        for (var i = 0u; i < KEYS; i++) {
          scores[i] += dot(query, tile[i][quad]);
        }
      }
    }
    fetch(valuesOf(slot, head), key, last, slice, lane);
    let before = top;
    for (var i = 0u; i < KEYS; i++) {
      scores[i] = select(LOWEST, scores[i] * SCALE, key + i <= position);
      top = max(top, scores[i]);
    }
    let rescale = exp(before - top);
    sum *= rescale;
    for (var i = 0u; i < KEYS; i++) {
      scores[i] = exp(scores[i] - top);
      sum += scores[i];
    }
    for (var quad = 0u; quad < SLICE_QUADS; quad++) {
      var value = mix[quad] * rescale;
      for (var i = 0u; i < KEYS; i++) {
        value += scores[i] * tile[i][quad];
      }
      mix[quad] = value;
    }
  }
  if (group.x * ROWS + lane <= end) {
    for (var quad = 0u; quad < quadsIn(group.z); quad++) {
      storeQuad(row, head, slice + quad, mix[quad] / sum);
    }
  }
}
