import type { DenseLayer } from '../model/sentence.ts';
import { badOption } from '../plan/error.ts';
import { type ClassHead, type Plan, widthOf } from '../plan/plan.ts';
import { type Encoded, EncoderRuns, type EncoderText, type Featured } from './encode.ts';
import type { Engine } from './engine.ts';
import type { Insides } from './insides.ts';
import { dense, pool, throughLayers } from './pool.ts';

/** The pooler's output, where a BERT without a task has one. */
const pooler = 'pooler.hook_pooler_out';

/** What a model makes of an input for a head to stand on. */
export type Features = 'embedding' | 'pooler' | 'first' | 'last';

/**
 * The embedding of a sentence-transformers folder, else the pooler's output, else the first token's hidden state; of a decoder the last
 * token's, of an image encoder the class token's, after the final norm.
 */
export function featuresOf({ sentences, pools, row }: Omit<Featured, 'runs' | 'hidden'>): Features {
  if (sentences && !sentences.isPlain) return 'embedding';
  return pools ? 'pooler' : row;
}

/** Numbers of an input's features. */
export const featureWidth = (featured: Featured, { tensors }: Plan): number =>
  featuresOf(featured) === 'embedding' ? featured.sentences!.width : widthOf(tensors.get(featured.hidden)!);

const ofDecoders = new WeakMap<Engine, EncoderRuns>();

/** @throws VitrineError `bad-option` for an encoder-decoder */
export function featuredOf({ engine, featured, kind }: Insides): Featured {
  if (featured) return featured;
  if (kind !== 'decoder') {
    const hint = 'Load an encoder, a decoder or an image encoder.';
    throw badOption('An encoder-decoder has no features that a head could stand on.', hint);
  }
  const runs = ofDecoders.get(engine) ?? new EncoderRuns(engine, true);
  ofDecoders.set(engine, runs);
  return { runs, hidden: hiddenOf(engine.plan), row: 'last' };
}

/** The tensor of the last hidden states: of a decoder what the output layer reads. */
export function hiddenOf({ aliases, steps }: Plan): string {
  const known = aliases.get('hidden');
  if (known !== undefined) return known;
  const last = steps.findLast((step) => step.op === 'selectRows');
  if (last?.op !== 'selectRows') throw new Error('The plan selects no rows for its logits.');
  return last.input;
}

/** Features of inputs, each with its width. */
export async function features(
  featured: Featured,
  inputs: readonly EncoderText[],
  signal: AbortSignal | undefined,
  plan?: Plan,
): Promise<Float32Array[]> {
  const { runs, hidden, sentences } = featured;
  const kind = featuresOf(featured);
  if (kind === 'pooler') {
    const wanted = { capture: [pooler], logitRows: () => [0] };
    return runs.run(inputs, wanted, signal, ({ captured }) => captured.get(pooler)!, undefined, plan);
  }
  const take = ({ captured }: Encoded, { rows: { length } }: EncoderText) => {
    const rows = captured.get(hidden)!;
    const width = rows.length / length;
    if (kind === 'first') return rows.slice(0, width);
    if (kind === 'last') return rows.slice(-width);
    return throughLayers(sentences!.steps, pool(rows, width, sentences!.pooling));
  };
  return runs.run(inputs, { capture: [hidden] }, signal, take, undefined, plan);
}

/** A head's logits of an input's features. */
export function headLogits({ labels, weight, bias }: ClassHead, input: Float32Array): Float64Array {
  const layer: DenseLayer = { nIn: input.length, nOut: labels.length, weight, bias, activation: 'identity' };
  return Float64Array.from(dense(layer, input));
}
