// scores [logitRows, 4] = log-probability of the target id, its rank (1: the most likely), entropy, 0; from logits
// [logitRows, vocabulary]. One workgroup a row; two passes, since sums of exp need the maximum first.
override VOCABULARY: u32;
override STRIDE: u32;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> scores: array<vec4f>;

const LANES = 128u;
var<workgroup> lanes: array<vec3f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = group.x * STRIDE;
  let id = targets[group.x];
  let logit = logits[start + id];
  var top = -3.4e38;
  var above = 0.0; // ids ranked before the target; ties go to the lower id
  for (var i = lane; i < VOCABULARY; i += LANES) {
    let value = logits[start + i];
    top = max(top, value);
    above += select(0.0, 1.0, value > logit || (value == logit && i < id));
  }
  lanes[lane] = vec3f(top, above, 0);
  workgroupBarrier();
  above = 0;
  for (var i = 0u; i < LANES; i++) {
    top = max(top, lanes[i].x);
    above += lanes[i].y;
  }
  workgroupBarrier();
  var sum = 0.0;
  var moment = 0.0; // Σ exp(d) d, d the distance to the top: entropy = log Σ exp(d) - moment / Σ exp(d)
  for (var i = lane; i < VOCABULARY; i += LANES) {
    let distance = logits[start + i] - top;
    // Banned ids are at -Infinity: they weigh nothing, and 0 * Infinity must not come in.
    let weight = exp(distance);
    sum += weight;
    moment += select(0.0, weight * distance, weight > 0);
  }
  lanes[lane] = vec3f(sum, moment, 0);
  workgroupBarrier();
  if (lane == 0) {
    for (var i = 1u; i < LANES; i++) {
      sum += lanes[i].x;
      moment += lanes[i].y;
    }
    scores[group.x] = vec4f(logit - top - log(sum), above + 1, log(sum) - moment / sum, 0);
  }
}
