import { ceilDiv, type Kernel } from '../kernel.ts';

/** Logits that one workgroup of sample-scan.wgsl takes: 64 lanes, eight each. */
const PER_WORKGROUP = 512;

/** Buffers of the sampler; see the shaders for what is in them. */
export interface SamplerBuffers {
  settings: GPUBuffer;
  counts: GPUBuffer;
  bias: GPUBuffer;
  processed: GPUBuffer;
  partials: GPUBuffer;
  state: GPUBuffer;
  ring: GPUBuffer;
}

export const partialsOf = (vocabulary: number): number => ceilDiv(vocabulary, PER_WORKGROUP);

/** Draws a token from logits [1, vocabulary] and makes it the row of the next step: two dispatches. */
export function sample(
  batch: GPUBuffer,
  logits: GPUBuffer,
  vocabulary: number,
  buffers: SamplerBuffers,
  ring: { records: number; words: number },
): Kernel[] {
  const { settings, counts, bias, processed, partials, state } = buffers;
  return [
    {
      files: ['sampler.wgsl', 'sample-scan.wgsl'],
      constants: { VOCABULARY: vocabulary },
      bindings: { 1: settings, 2: logits, 3: counts, 4: bias, 5: processed, 6: partials },
      workgroups: () => [partialsOf(vocabulary)],
    },
    {
      files: ['batch.wgsl', 'sampler.wgsl', 'sample-draw.wgsl'],
      constants: {
        VOCABULARY: vocabulary,
        PARTIALS: partialsOf(vocabulary),
        RING: ring.records,
        RECORD: ring.words,
      },
      bindings: { 0: batch, 1: settings, 2: logits, 3: counts, 4: partials, 5: processed, 6: state, 7: buffers.ring },
      workgroups: () => [1],
    },
  ];
}
