import { unsupportedCheckpoint } from '../plan/error.ts';
import type { GgufFile } from './gguf.ts';

/**
 * What GGUF metadata says of rotary embeddings, as config.json would have it. What Llama 3 does to the frequencies is not told, but
 * stands in the tensor `rope_freqs.weight`.
 * @throws VitrineError `unsupported-checkpoint` for a kind of scaling that is not computed here
 */
export function ggufRotary(fields: GgufFile['fields'], architecture: string, file: string): Record<string, unknown> {
  const of = (name: string) => fields.get(`${architecture}.rope.${name}`);
  const theta = of('freq_base');
  const type = of('scaling.type') ?? 'linear';
  const factor = of('scaling.factor') ?? of('scale_linear'); // the latter of old files
  const more = of('scaling.attn_factor') ?? 1;
  if (more !== 1 && type !== 'yarn') {
    const name = `${architecture}.rope.scaling.attn_factor in ${file}`;
    throw unsupportedCheckpoint(`${name} is ${JSON.stringify(more)}; expected 1 without yarn.`);
  }
  const found = (more: Record<string, unknown>) => ({ rope_parameters: { rope_theta: theta, ...more } });
  switch (type) {
    case 'none':
      return found({});
    case 'linear':
      return found(factor === undefined || factor === 0 ? {} : { rope_type: 'linear', factor });
    case 'yarn': {
      // llama.cpp multiplies what the factor asks for by this.
      const isMore = typeof more === 'number' && more !== 1 && typeof factor === 'number';
      return found({
        rope_type: 'yarn',
        factor,
        original_max_position_embeddings: of('scaling.original_context_length'),
        beta_fast: of('scaling.yarn_beta_fast'),
        beta_slow: of('scaling.yarn_beta_slow'),
        ...(isMore && { attention_factor: more * (1 + 0.1 * Math.log(factor)) }),
      });
    }
    default: {
      const name = `${architecture}.rope.scaling.type in ${file}`;
      throw unsupportedCheckpoint(`${name} is ${JSON.stringify(type)}; expected "none", "linear" or "yarn".`);
    }
  }
}
