// Attention of many rows, for software GPUs: an invocation takes eight rows and walks over the keys by fours, so that a key or value
// that was read serves eight rows. It walks from its first row's first key to its last row's last: what is masked for all is skipped.
const ROWS = 8u;
var<private> tops: array<f32, ROWS>;
var<private> sums: array<f32, ROWS>;
var<private> rescales: array<f32, ROWS>;
var<private> mixes: array<vec4f, SLICE_VECTORS * ROWS>; // [vector, row]
var<private> queries: array<vec4f, SLICE_VECTORS * ROWS>; // [vector, row]

// Four values of the query of row + r. Kept by the invocation where they fit: a buffer's are read lane by lane.
fn query(row: u32, r: u32, head: u32, vector: u32) -> vec4f {
  if (VECTORS <= SLICE_VECTORS) { return queries[vector * ROWS + r]; }
  return query4(min(row + r, batch.rowCount - 1), head, vector);
}

// Takes four scores of row r into its maximum and sum; gives the keys' weights.
fn weigh(r: u32, product: vec4f, head: u32, key: u32, seen: Seen) -> vec4f {
  let isSeen = key + vec4u(0, 1, 2, 3) - seen.first < vec4u(seen.count); // before the first it wraps round
  let scores = select(vec4f(LOWEST), product * SCALE + bias4(head, key, seen.place), isSeen);
  let before = tops[r];
  let top = max(before, largest(scores));
  let weights = exp(scores - top);
  rescales[r] = exp(before - top);
  tops[r] = top;
  sums[r] = sums[r] * rescales[r] + sumOf(weights);
  return weights;
}

fn mixIn(r: u32, at: u32, v: mat4x4f, weights: vec4f) {
  mixes[at + r] = mixes[at + r] * rescales[r] + v * weights;
}

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let head = id.y;
  let slice = id.z * SLICE_VECTORS;
  let vectors = vectorsIn(id.z);
  let row = id.x * ROWS;
  if (row >= batch.rowCount) { return; }
  // A row past the last is computed as the last, and not stored.
  let end = batch.rowCount - 1;
  let seen0 = seenBy(row);
  let seen1 = seenBy(min(row + 1, end));
  let seen2 = seenBy(min(row + 2, end));
  let seen3 = seenBy(min(row + 3, end));
  let seen4 = seenBy(min(row + 4, end));
  let seen5 = seenBy(min(row + 5, end));
  let seen6 = seenBy(min(row + 6, end));
  let seen7 = seenBy(min(row + 7, end));
  let last = max(seen7.first + seen7.count, 1) - 1;
  let keys = keyAt(0, head);
  let values = valuesStart() + keys + slice * 4;
  for (var r = 0u; r < ROWS; r++) {
    tops[r] = LOWEST;
    for (var vector = 0u; vector < vectorsIn(0); vector++) {
      queries[vector * ROWS + r] = query4(min(row + r, end), head, vector);
    }
  }
  for (var key = seen0.first; key <= last; key += 4) {
    // Of the mask only this is left: no key past the last row's is read.
    let at = min(key + vec4u(0, 1, 2, 3), vec4u(last)) * N;
    // Written out, since what a loop variable picks would live in memory, not in registers.
    var s0 = vec4f();
    var s1 = vec4f();
    var s2 = vec4f();
    var s3 = vec4f();
    var s4 = vec4f();
    var s5 = vec4f();
    var s6 = vec4f();
    var s7 = vec4f();
    for (var vector = 0u; vector < VECTORS; vector++) {
      let k4 = keys + at + vector * 4;
      let k = mat4x4f(cached4(k4.x), cached4(k4.y), cached4(k4.z), cached4(k4.w));
      // A row vector times a matrix is its dot product with each column.
      s0 += query(row, 0, head, vector) * k;
      s1 += query(row, 1, head, vector) * k;
      s2 += query(row, 2, head, vector) * k;
      s3 += query(row, 3, head, vector) * k;
      s4 += query(row, 4, head, vector) * k;
      s5 += query(row, 5, head, vector) * k;
      s6 += query(row, 6, head, vector) * k;
      s7 += query(row, 7, head, vector) * k;
    }
    s0 = weigh(0, s0, head, key, seen0);
    s1 = weigh(1, s1, head, key, seen1);
    s2 = weigh(2, s2, head, key, seen2);
    s3 = weigh(3, s3, head, key, seen3);
    s4 = weigh(4, s4, head, key, seen4);
    s5 = weigh(5, s5, head, key, seen5);
    s6 = weigh(6, s6, head, key, seen6);
    s7 = weigh(7, s7, head, key, seen7);
    for (var vector = 0u; vector < vectors; vector++) {
      let v4 = values + at + vector * 4;
      let v = mat4x4f(cached4(v4.x), cached4(v4.y), cached4(v4.z), cached4(v4.w));
      mixIn(0, vector * ROWS, v, s0);
      mixIn(1, vector * ROWS, v, s1);
      mixIn(2, vector * ROWS, v, s2);
      mixIn(3, vector * ROWS, v, s3);
      mixIn(4, vector * ROWS, v, s4);
      mixIn(5, vector * ROWS, v, s5);
      mixIn(6, vector * ROWS, v, s6);
      mixIn(7, vector * ROWS, v, s7);
    }
  }
  for (var r = 0u; r < min(ROWS, batch.rowCount - row); r++) {
    for (var vector = 0u; vector < vectors; vector++) {
      storeVector(row + r, head, slice + vector, mixes[vector * ROWS + r] / sums[r]);
    }
  }
}
