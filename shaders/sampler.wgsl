// What both kernels of the sampler share. The meaning of the settings and their order are those of src/run/sampling.ts.
struct Settings {
  temperature: f32, // 0: greedy
  topP: f32,
  minP: f32,
  repetition: f32,
  frequency: f32,
  presence: f32,
  topK: u32, // 0: off
  topLogprobs: u32,
  seedLow: u32,
  seedHigh: u32,
  sequence: u32,
  endCount: u32,
  ends: array<u32, 8>, // ids that end the text
}

// Highest bit: the id occurs in the prompt. The rest: how often it was generated.
const IN_PROMPT = 0x80000000u;

// One workgroup's share of the logits: largest raw logit, sum of exp(raw - that), best processed logit and its id.
struct Partial {
  rawTop: f32,
  rawSum: f32,
  top: f32,
  topId: u32,
}

override VOCABULARY: u32;
@group(0) @binding(1) var<storage, read> settings: Settings;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
