import type { DenseLayer } from '../model/sentence.ts';
import type { ClassHead } from '../plan/plan.ts';
import type { IdsText } from './encoder-input.ts';
import type { Headed } from './heads.ts';
import { dense, normalized, pool } from './pool.ts';

/** The pooler's output, where a BERT without a task has one. */
const pooler = 'pooler.hook_pooler_out';

/** What an encoder makes of a text for a head to stand on. */
export type Features = 'embedding' | 'pooler' | 'first';

/** The embedding of a sentence-transformers folder, else the pooler's output, else the first token's hidden state. */
export function featuresOf({ sentences, config }: Pick<Headed, 'sentences' | 'config'>): Features {
  if (!sentences.isPlain) return 'embedding';
  return config.pools && config.head === undefined ? 'pooler' : 'first';
}

/** Features of texts, each with its width. */
export async function features(
  headed: Pick<Headed, 'runs' | 'config' | 'sentences' | 'hidden'>,
  texts: readonly IdsText[],
  signal: AbortSignal | undefined,
): Promise<Float32Array[]> {
  const { runs, config, sentences, hidden } = headed;
  const kind = featuresOf(headed);
  if (kind === 'pooler') {
    const wanted = { capture: [pooler], logitRows: () => [0] };
    return runs.run(texts, wanted, signal, ({ captured }) => captured.get(pooler)!);
  }
  return runs.run(texts, { capture: [hidden] }, signal, ({ captured }) => {
    const rows = captured.get(hidden)!;
    if (kind === 'first') return rows.slice(0, config.nEmbd);
    const whole = pool(rows, config.nEmbd, sentences.pooling);
    return sentences.steps.reduce(
      (vector, step) => (step === 'normalize' ? normalized(vector) : dense(step, vector)),
      whole,
    );
  });
}

/** A head's logits of a text's features. */
export function headLogits({ labels, weight, bias }: ClassHead, input: Float32Array): Float64Array {
  const layer: DenseLayer = { nIn: input.length, nOut: labels.length, weight, bias, activation: 'identity' };
  return Float64Array.from(dense(layer, input));
}
