// Edits a tensor in place: [rows, n], [logitRows, n] or [rows, nHead, n], or [nHead, rows, keys] with HEAD_FIRST. One dispatch an edit.
override KIND: u32; // 0 set, 1 scale, 2 add
override HEAD_FIRST: bool;
override INNER: u32; // values per row and head; with HEAD_FIRST they are the keys
override ROW_STRIDE: u32; // distance of two rows

struct Places {
  positions: u32, // how many are listed; 0: all
  heads: u32, // how many are listed
  width: u32, // values given per position and head; 0: one number for all
  shared_values: u32, // 1: the values are those of one position
  list: array<u32>, // heads, then positions
}

@group(0) @binding(3) var<storage, read_write> x: array<f32>;
@group(0) @binding(4) var<storage, read> places: Places;
@group(0) @binding(5) var<storage, read> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let inner = select(INNER, keyCount(), HEAD_FIRST);
  let width = select(places.width, inner, places.width == 0);
  if (id.x >= min(width, inner) || id.y >= rowCount()) { return; }
  // Keys that a row does not see stay masked: nothing may depend on them.
  if (HEAD_FIRST && id.x >= seenBy(id.y).count) { return; }
  let row = select(id.y, batch.rows[id.y].logitRow, LOGIT_ROWS);
  let position = batch.rows[row].place - batch.rows[row].first;
  var ordinal = position;
  if (places.positions > 0) {
    ordinal = 0;
    while (ordinal < places.positions && places.list[places.heads + ordinal] != position) {
      ordinal++;
    }
    if (ordinal == places.positions) { return; }
  }
  let head = places.list[id.z];
  let at = select(id.y * ROW_STRIDE + head * INNER, scoresAt(head, id.y), HEAD_FIRST) + id.x;
  let run = select(ordinal * places.heads + id.z, id.z, places.shared_values == 1);
  let value = values[select(run * places.width + id.x, 0, places.width == 0)];
  x[at] = select(select(x[at] + value, x[at] * value, KIND == 1), value, KIND == 0);
}
