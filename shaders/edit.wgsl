// Edits a tensor in place: [rows, n] or [rows, nHead, n], or [nHead, rows, context] with HEAD_FIRST. One dispatch an edit.
override KIND: u32; // 0 set, 1 scale, 2 add
override HEAD_FIRST: bool;
override N_HEAD: u32; // 1 for a tensor without heads
override INNER: u32; // values per row and head
override ROW_STRIDE: u32; // distance of two rows (HEAD_FIRST: INNER)
override ROWS: u32; // rows the tensor has room for
override POSITIONS: u32; // positions listed; 0: all
override HEADS: u32; // heads listed
override WIDTH: u32; // values given per position and head; 0: one number for all
override SHARED: bool; // the values are those of one position
@group(0) @binding(3) var<storage, read_write> x: array<f32>;
@group(0) @binding(4) var<storage, read> positions: array<u32>;
@group(0) @binding(5) var<storage, read> heads: array<u32>;
@group(0) @binding(6) var<storage, read> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let width = select(WIDTH, INNER, WIDTH == 0);
  if (id.x >= min(width, INNER) || id.y >= batch.rowCount) {
    return;
  }
  let position = batch.rows[id.y].position;
  // Keys after a row's position stay masked: nothing may depend on what comes later.
  if (HEAD_FIRST && id.x > position) {
    return;
  }
  var ordinal = position;
  if (POSITIONS > 0) {
    ordinal = 0;
    while (ordinal < POSITIONS && positions[ordinal] != position) {
      ordinal++;
    }
    if (ordinal == POSITIONS) {
      return;
    }
  }
  let head = heads[id.z];
  let at = select(id.y * ROW_STRIDE + head * INNER, (head * ROWS + id.y) * INNER, HEAD_FIRST) + id.x;
  let run = select(ordinal * HEADS + id.z, id.z, SHARED);
  let value = values[select(run * WIDTH + id.x, 0, WIDTH == 0)];
  switch KIND {
    case 0: {
      x[at] = value;
    }
    case 1: {
      x[at] *= value;
    }
    default: {
      x[at] += value;
    }
  }
}
