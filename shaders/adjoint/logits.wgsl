// In front of the cross-entropy: the logits, and a memory of its own for their gradient.
@group(0) @binding(3) var<storage, read> logits: array<f32>;
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

fn logitAt(i: u32) -> f32 {
  return logits[i];
}
