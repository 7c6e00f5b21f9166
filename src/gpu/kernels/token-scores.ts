import source from '../../../shaders/token-scores.wgsl?raw';
import type { GpuTensor, Kernel } from '../kernel.ts';

/** Judges a target id for each row of logits. */
export function tokenScores(targets: GPUBuffer, logits: GpuTensor, scores: GPUBuffer): Kernel {
  return {
    files: [{ name: 'token-scores.wgsl', source }],
    constants: { VOCABULARY: logits.width, STRIDE: logits.stride },
    bindings: { 1: targets, 2: logits.buffer, 3: scores },
    workgroups: ({ logitRows }) => [logitRows],
  };
}
