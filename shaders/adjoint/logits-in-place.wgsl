// In front of the cross-entropy: the gradient of the logits takes their place. Each is read for the last time by the lane that writes over it.
@group(0) @binding(5) var<storage, read_write> output: array<f32>;

fn logitAt(i: u32) -> f32 {
  return output[i];
}
