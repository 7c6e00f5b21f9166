import { ceilDiv, type Kernel } from '../kernel.ts';
import { MOST_TOKENS } from '../submit-size.ts';

/** Logits that one workgroup of sample-scan.wgsl takes: 64 lanes, eight each. */
const PER_WORKGROUP = 512;

const partialsOf = (vocabulary: number): number => ceilDiv(vocabulary, PER_WORKGROUP);

/** Ids of which the log-probability is told with a token. */
export const MOST_TOP = 20;
/**
 * Where drawn tokens are recorded: those of the submits in flight, and of the one being read. The u32s of a record are token, stopped,
 * logprob, unused, then pairs of id and log-probability.
 */
export const ring = { records: 4 * MOST_TOKENS, words: 4 + 2 * MOST_TOP };

/** Words of each of the sampler's buffers; see the shaders for what is in them. */
const wordsOf = (vocabulary: number) => ({
  ...{ settings: 20, counts: vocabulary, bias: vocabulary, processed: vocabulary },
  ...{ partials: 4 * partialsOf(vocabulary), state: 4, ring: ring.records * ring.words },
});

export type SamplerBuffers = Record<keyof ReturnType<typeof wordsOf>, GPUBuffer>;

export function samplerBuffers(vocabulary: number, create: (name: string, bytes: number) => GPUBuffer) {
  const made = Object.entries(wordsOf(vocabulary)).map(([name, words]) => [name, create(name, words * 4)]);
  return Object.fromEntries(made) as SamplerBuffers;
}

/** Draws a token from logits [1, vocabulary] and makes it the row of the next step: two dispatches. */
export function sample(batch: GPUBuffer, logits: GPUBuffer, vocabulary: number, buffers: SamplerBuffers): Kernel[] {
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
      constants: { VOCABULARY: vocabulary, PARTIALS: partialsOf(vocabulary), RING: ring.records, RECORD: ring.words },
      bindings: { 0: batch, 1: settings, 2: logits, 3: counts, 4: partials, 5: processed, 6: state, 7: buffers.ring },
      workgroups: () => [1],
    },
  ];
}
