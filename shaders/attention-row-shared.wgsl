// Attention of a row and head, for real GPUs: the keys are split over sixteen teams of a workgroup, whose partial results
// are put together at the end (flash-decoding, Dao et al. 2023). A lane of a team scores one key of sixteen, and mixes four
// of the 64 values of z, so that a team reads values from neighbouring addresses.
const TEAM = SLICE_VECTORS;
const TEAMS = 16u;
const BLOCK = TEAM * TEAMS;
var<workgroup> scores: array<f32, BLOCK>;
var<workgroup> tops: array<f32, TEAMS>;
var<workgroup> sums: array<f32, TEAMS>;
var<workgroup> mixes: array<vec4f, BLOCK>;

fn teamScores(team: u32, i: u32) -> vec4f {
  let at = team * TEAM + i;
  return vec4f(scores[at], scores[at + 1], scores[at + 2], scores[at + 3]);
}

@compute @workgroup_size(BLOCK)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let seen = seenBy(group.y);
  let last = max(seen.count, 1) - 1;
  let team = lane / TEAM;
  let part = lane % TEAM;
  let vector = group.z * SLICE_VECTORS + part;
  let keys = keyAt(seen.first, head);
  let values = valuesStart() + keys + min(vector, VECTORS - 1) * 4;
  var top = LOWEST;
  var sum = 0.0;
  var mix = vec4f();
  for (var block = 0u; block <= last; block += BLOCK) {
    let first = block + team * TEAM;
    let key = first + part;
    var score = LOWEST;
    if (key <= last) {
      score = 0;
      for (var i = 0u; i < VECTORS; i++) {
        score += dot(query4(group.y, head, i), cached4(keys + key * N + i * 4));
      }
      score = score * SCALE + biasOf(head, seen.first + key, seen.place);
    }
    scores[lane] = score;
    workgroupBarrier();
    if (first <= last) {
      let s = mat4x4f(teamScores(team, 0), teamScores(team, 4), teamScores(team, 8), teamScores(team, 12));
      let before = top;
      top = max(top, max(max(largest(s[0]), largest(s[1])), max(largest(s[2]), largest(s[3]))));
      let rescale = exp(before - top);
      mix *= rescale;
      sum *= rescale;
      for (var i = 0u; i < 4; i++) {
        let weights = exp(s[i] - top);
        sum += sumOf(weights);
        // A key past the last is read as the last, and weighs nothing.
        let v = values + min(first + i * 4 + vec4u(0, 1, 2, 3), vec4u(last)) * N;
        mix += mat4x4f(cached4(v.x), cached4(v.y), cached4(v.z), cached4(v.w)) * weights;
      }
    }
    workgroupBarrier();
  }
  mixes[lane] = mix;
  if (part == 0) {
    tops[team] = top;
    sums[team] = sum;
  }
  workgroupBarrier();
  if (team == 0 && vector < VECTORS) {
    for (var i = 0u; i < TEAMS; i++) {
      top = max(top, tops[i]);
    }
    var total = 0.0;
    var value = vec4f();
    for (var i = 0u; i < TEAMS; i++) {
      let share = exp(tops[i] - top);
      total += sums[i] * share;
      value += mixes[i * TEAM + part] * share;
    }
    storeVector(group.y, head, vector, value / total);
  }
}
