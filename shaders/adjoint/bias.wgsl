// output [nHead, COLUMNS]: to each distance the grad [nHead, rows, keys] of the scores that it was added to; those beyond the
// outermost go to it. ADD: added to what is there
override COLUMNS: u32;
override STRIDE: u32;
override LAST_KEYS: u32; // a row sees so many of the last keys; 0: all
override ADD: bool;
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= COLUMNS) { return; }
  let most = i32(COLUMNS / 2);
  let distance = i32(id.x) - most;
  var sum = 0.0;
  for (var row = 0u; row < batch.rowCount; row++) {
    let seen = seenBy(row);
    let start = scoresAt(id.y, row);
    let least = select(0, seen.count - min(seen.count, LAST_KEYS), LAST_KEYS > 0);
    // The key at this distance, and behind the outermost all the others.
    let key = i32(seen.place) + distance - i32(seen.first);
    let begin = max(i32(least), select(key, 0, distance == -most));
    let end = min(i32(seen.count) - 1, select(key, i32(seen.count), distance == most));
    for (var at = begin; at <= end; at++) {
      sum += grad[start + u32(at)];
    }
  }
  let at = id.y * STRIDE + id.x;
  output[at] = sum + select(0, output[at], ADD);
}
