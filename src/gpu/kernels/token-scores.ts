import type { Kernel } from '../kernel.ts';
import type { GpuTensor } from '../place.ts';

/** Judges a target id for each row of logits. */
export function tokenScores(targets: GPUBuffer, logits: GpuTensor, scores: GPUBuffer): Kernel {
  return {
    files: ['token-scores.wgsl'],
    constants: { VOCABULARY: logits.width, STRIDE: logits.stride },
    bindings: { 1: targets, 2: logits.buffer, 3: scores },
    workgroups: ({ logitRows }) => [logitRows],
  };
}
