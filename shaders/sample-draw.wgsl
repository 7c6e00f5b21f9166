// Second half of sampling, one workgroup: filters by thresholds instead of a sort, the draw, its record, and the row
// of the next step, so that decoding goes on without the CPU.
struct State {
  index: u32, // of the token drawn next, from 0
  stopped: u32, // 1 after an end id: what is drawn from then on is dropped
  last: u32, // the token drawn last
  unused: u32,
}

override PARTIALS: u32;
override RING: u32; // records in the ring
override RECORD: u32; // u32s of a record: token, flags, logprob, unused, then top ids and log-probabilities
@group(0) @binding(0) var<storage, read_write> next: Batch;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;
@group(0) @binding(4) var<storage, read> partials: array<Partial>;
@group(0) @binding(5) var<storage, read> processed: array<f32>;
@group(0) @binding(6) var<storage, read_write> state: State;
@group(0) @binding(7) var<storage, read_write> ring: array<u32>;

const LANES = 128u;
const BINS = 16u;
var<workgroup> bins: array<f32, LANES * BINS>;
var<workgroup> totals: array<f32, BINS>;
var<workgroup> laneMass: array<f32, LANES>;
var<workgroup> laneTies: array<u32, LANES>;
var<workgroup> laneId: array<u32, LANES>;
var<workgroup> drawn: u32;

struct Summary {
  logSumExp: f32, // of the raw logits
  top: f32, // best processed logit
  topId: u32,
}

// The k-th largest by key order: 4 bits a pass, from the top.
struct Threshold {
  key: u32,
  above: f32, // weight of the candidates strictly above it
}

fn summarize() -> Summary {
  var rawTop = partials[0].rawTop;
  for (var i = 1u; i < PARTIALS; i++) {
    rawTop = max(rawTop, partials[i].rawTop);
  }
  var sum = 0.0;
  var best = partials[0];
  for (var i = 0u; i < PARTIALS; i++) {
    sum += partials[i].rawSum * exp(partials[i].rawTop - rawTop);
    // Partials interleave ids only within a group, so a later group never has a lower one.
    if (partials[i].top > best.top) { best = partials[i]; }
  }
  return Summary(rawTop + log(sum), best.top, best.topId);
}

// Orders like the floats themselves, as unsigned integers.
fn keyOf(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn massOf(value: f32, top: f32) -> f32 {
  return exp((value - top) / settings.temperature);
}

// The largest key whose candidates (keys >= lowest) at or above it weigh `goal` or more; weight is 1 each, or mass.
fn threshold(lane: u32, lowest: u32, goal: f32, byMass: bool, top: f32) -> Threshold {
  var prefix = 0u;
  var above = 0.0;
  for (var shift = 28u; shift < 32; shift -= 4) {
    for (var bin = 0u; bin < BINS; bin++) {
      bins[lane * BINS + bin] = 0;
    }
    for (var id = lane; id < VOCABULARY; id += LANES) {
      let value = processed[id];
      let key = keyOf(value);
      // Shifting by 32 is not defined: the first pass has no prefix to compare.
      let inPrefix = shift == 28 || (key >> (min(shift, 27) + 4)) == prefix;
      if (key >= lowest && inPrefix) {
        bins[lane * BINS + ((key >> shift) & 15)] += select(1, massOf(value, top), byMass);
      }
    }
    workgroupBarrier();
    if (lane < BINS) {
      var total = 0.0;
      for (var i = 0u; i < LANES; i++) {
        total += bins[i * BINS + lane];
      }
      totals[lane] = total;
    }
    workgroupBarrier();
    var chosen = BINS;
    for (var bin = BINS; bin > 0; bin--) {
      let total = totals[bin - 1];
      if (total == 0) { continue; }
      if (chosen < BINS) {
        // Not reached in the bin above: go on down.
        above += totals[chosen];
      }
      chosen = bin - 1;
      if (above + total >= goal) { break; }
    }
    prefix = (prefix << 4) | chosen;
    workgroupBarrier();
  }
  return Threshold(prefix, above);
}

// pcg4d, Jarzynski & Olano 2020; src/run/random.ts is the same in JavaScript.
fn random(index: u32) -> f32 {
  var v = vec4u(settings.seedLow, settings.seedHigh, index, settings.sequence) * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4u(16);
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  return f32(v.x >> 8) / 16777216.0;
}

// Kept: above the threshold key, and the first `ties` ids at it.
fn kept(key: u32, limit: u32, tie: u32, ties: u32) -> bool {
  return key > limit || (key == limit && tie < ties);
}

// The first id in ascending order whose cumulative mass among the kept exceeds u of the whole.
fn draw(lane: u32, limit: u32, ties: u32, top: f32, u: f32) {
  let chunk = (VOCABULARY + LANES - 1) / LANES;
  let first = lane * chunk;
  let end = min(first + chunk, VOCABULARY);
  var mine = 0u;
  for (var id = first; id < end; id++) {
    mine += select(0u, 1u, keyOf(processed[id]) == limit);
  }
  laneTies[lane] = mine;
  workgroupBarrier();
  var tie = 0u;
  for (var i = 0u; i < lane; i++) {
    tie += laneTies[i];
  }
  let firstTie = tie;
  var mass = 0.0;
  for (var id = first; id < end; id++) {
    let key = keyOf(processed[id]);
    if (kept(key, limit, tie, ties)) { mass += massOf(processed[id], top); }
    tie += select(0u, 1u, key == limit);
  }
  laneMass[lane] = mass;
  workgroupBarrier();
  var total = 0.0;
  var before = 0.0;
  var lastLane = 0u; // with anything kept
  for (var i = 0u; i < LANES; i++) {
    if (i == lane) { before = total; }
    total += laneMass[i];
    if (laneMass[i] > 0) { lastLane = i; }
  }
  let goal = u * total;
  let mineToFind = mass > 0 && goal >= before && (goal < before + mass || lane == lastLane);
  if (mineToFind) {
    tie = firstTie;
    var sum = before;
    for (var id = first; id < end && sum <= goal; id++) {
      let key = keyOf(processed[id]);
      if (kept(key, limit, tie, ties)) {
        sum += massOf(processed[id], top);
        drawn = id;
      }
      tie += select(0u, 1u, key == limit);
    }
  }
  workgroupBarrier();
}

// The most likely ids by raw logit, best first, ties by the lower id: one pass each.
fn recordTop(lane: u32, at: u32, logSumExp: f32) {
  var lastValue = 3.4e38;
  var lastId = 0u;
  for (var n = 0u; n < settings.topLogprobs; n++) {
    var best = -3.4e38;
    var bestId = 0xffffffffu;
    for (var id = lane; id < VOCABULARY; id += LANES) {
      let value = logits[id];
      let later = value < lastValue || (value == lastValue && id > lastId);
      if (later && value > best) {
        best = value;
        bestId = id;
      }
    }
    laneMass[lane] = best;
    laneId[lane] = bestId;
    workgroupBarrier();
    for (var i = 0u; i < LANES; i++) {
      if (laneMass[i] > best || (laneMass[i] == best && laneId[i] < bestId)) {
        best = laneMass[i];
        bestId = laneId[i];
      }
    }
    if (lane == 0) {
      ring[at + 4 + 2 * n] = bestId;
      ring[at + 5 + 2 * n] = bitcast<u32>(best - logSumExp);
    }
    lastValue = best;
    lastId = bestId;
    workgroupBarrier();
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  let summary = summarize();
  let index = state.index;
  let at = (index % RING) * RECORD;
  if (settings.temperature == 0) {
    if (lane == 0) { drawn = summary.topId; }
    workgroupBarrier();
  } else {
    let top = summary.top;
    var limit = 0u;
    var ties = VOCABULARY;
    if (settings.topK > 0 && settings.topK < VOCABULARY) {
      limit = threshold(lane, 0, f32(settings.topK), false, top).key;
    }
    if (settings.topP < 1) {
      var mass = 0.0;
      for (var id = lane; id < VOCABULARY; id += LANES) {
        if (keyOf(processed[id]) >= limit) { mass += massOf(processed[id], top); }
      }
      laneMass[lane] = mass;
      workgroupBarrier();
      var total = 0.0;
      for (var i = 0u; i < LANES; i++) {
        total += laneMass[i];
      }
      let crossing = threshold(lane, limit, settings.topP * total, true, top);
      limit = crossing.key;
      let each = massOf(valueOf(limit), top);
      ties = u32(clamp(ceil((settings.topP * total - crossing.above) / each), 1, f32(VOCABULARY)));
    }
    if (settings.minP > 0) {
      // exp((v - top) / t) < minP is dropped. As a key, so that one rule keeps.
      let lowest = keyOf(top + settings.temperature * log(settings.minP));
      if (lowest > limit) {
        limit = lowest;
        ties = VOCABULARY;
      }
    }
    draw(lane, limit, ties, top, random(index));
  }
  let token = drawn;
  recordTop(lane, at, summary.logSumExp);
  if (lane == 0) {
    ring[at] = token;
    ring[at + 1] = state.stopped;
    ring[at + 2] = bitcast<u32>(logits[token] - summary.logSumExp);
    counts[token] += 1;
    for (var i = 0u; i < settings.endCount; i++) {
      if (settings.ends[i] == token) { state.stopped = 1; }
    }
    state.index = index + 1;
    // The next step has one row, which follows the last of this one and sees it too.
    var row = next.rows[next.rowCount - 1];
    row.token = token;
    row.position += 1;
    row.place += 1;
    row.count += 1;
    row.logitRow = 0;
    next.rows[0] = row;
    next.rowCount = 1;
    next.logitCount = 1;
    next.keys = row.count;
  }
}

fn valueOf(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}
