// Where attention finds the keys of a source, and what is added to their scores. In front of all of its kernels.
override N: u32; // values of a place: the source's heads times their width
override HEAD_DIM: u32;
override GROUP: u32; // heads that share one of the source's
override DISTANCES: u32 = 0; // columns of the bias by distance, 2 d + 1; 0: there is none
override BIAS_STRIDE: u32 = 0;
@group(0) @binding(6) var<storage, read> distanceBias: array<f32>;

// Where a head's key at a place is; the next place is N further on, values are behind all keys.
fn keyAt(place: u32, head: u32) -> u32 {
  return place * N + (head / GROUP) * HEAD_DIM;
}

fn biasOf(head: u32, key: u32, place: u32) -> f32 {
  if (DISTANCES == 0) { return 0; }
  let most = i32(DISTANCES / 2);
  return distanceBias[head * BIAS_STRIDE + u32(most + clamp(i32(key) - i32(place), -most, most))];
}

// Of four keys in a row.
fn bias4(head: u32, key: u32, place: u32) -> vec4f {
  if (DISTANCES == 0) { return vec4f(); }
  return vec4f(
    biasOf(head, key, place),
    biasOf(head, key + 1, place),
    biasOf(head, key + 2, place),
    biasOf(head, key + 3, place),
  );
}
