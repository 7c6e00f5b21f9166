// Writes keys and values [rows, nHead * headDim] to a source in eight bits (cache/q8.wgsl), eight of each an invocation.
override N: u32; // nHead * headDim
override HEAD_DIM: u32;
override STRIDE: u32;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(7) var<storage, read_write> cache: array<u32>;

override BLOCKS = (HEAD_DIM + 7) / 8; // of a head
override RECORD = HEAD_DIM / 4 + BLOCKS; // words of a head

fn inBytes(values: vec4f) -> u32 {
  let whole = vec4u(vec4i(round(values))) & vec4u(0xff);
  return whole.x | (whole.y << 8) | (whole.z << 16) | (whole.w << 24);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let head = id.x / BLOCKS;
  let block = id.x % BLOCKS;
  if (head * HEAD_DIM >= N || id.y >= batch.rowCount) { return; }
  let count = min(8, HEAD_DIM - block * 8);
  let input = id.y * STRIDE + head * HEAD_DIM + block * 8;
  var most = vec2f();
  for (var i = 0u; i < count; i++) {
    most = max(most, abs(vec2f(k[input + i], v[input + i])));
  }
  let scale = most / 127;
  let factor = select(vec2f(), 1 / scale, scale > vec2f());
  let keys = (placeOf(id.y) * (N / HEAD_DIM) + head) * RECORD;
  let values = keys + arrayLength(&cache) / RECORD / 2 * RECORD;
  for (var i = 0u; i < count; i += 4) {
    let at = input + i;
    cache[keys + block * 2 + i / 4] = inBytes(vec4f(k[at], k[at + 1], k[at + 2], k[at + 3]) * factor.x);
    cache[values + block * 2 + i / 4] = inBytes(vec4f(v[at], v[at + 1], v[at + 2], v[at + 3]) * factor.y);
  }
  cache[keys + HEAD_DIM / 4 + block] = bitcast<u32>(scale.x);
  cache[values + HEAD_DIM / 4 + block] = bitcast<u32>(scale.y);
}
