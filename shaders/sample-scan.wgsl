// First half of sampling: penalties and bias over all logits, and each workgroup's share of maximum and log-sum-exp.
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> processed: array<f32>;
@group(0) @binding(6) var<storage, read_write> partials: array<Partial>;

const LANES = 64u;
const PER_LANE = 8u;
var<workgroup> lanes: array<Partial, LANES>;

fn process(id: u32, raw: f32) -> f32 {
  var value = raw + bias[id];
  let seen = counts[id];
  if (seen != 0) {
    value = select(value / settings.repetition, value * settings.repetition, value < 0);
    let generated = seen & ~IN_PROMPT;
    if (generated > 0) { value -= settings.frequency * f32(generated) + settings.presence; }
  }
  return value;
}

fn merge(a: Partial, b: Partial) -> Partial {
  let rawTop = max(a.rawTop, b.rawTop);
  let rawSum = a.rawSum * exp(a.rawTop - rawTop) + b.rawSum * exp(b.rawTop - rawTop);
  // Ties go to the lower id.
  let second = b.top > a.top || (b.top == a.top && b.topId < a.topId);
  return Partial(rawTop, rawSum, select(a.top, b.top, second), select(a.topId, b.topId, second));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var mine = Partial(-3.4e38, 0, -3.4e38, 0xffffffff);
  for (var i = 0u; i < PER_LANE; i++) {
    let id = (group.x * PER_LANE + i) * LANES + lane;
    if (id < VOCABULARY) {
      let raw = logits[id];
      let value = process(id, raw);
      processed[id] = value;
      mine = merge(mine, Partial(raw, 1, value, id));
    }
  }
  lanes[lane] = mine;
  for (var half = LANES / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] = merge(lanes[lane], lanes[lane + half]); }
  }
  if (lane == 0) { partials[group.x] = lanes[0]; }
}
