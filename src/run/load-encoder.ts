import type { Checkpoint } from '../load/checkpoint.ts';
import type { Source } from '../load/source.ts';
import type { EncoderConfig } from '../model/bert.ts';
import { encoderSize } from './encode.ts';
import { Encoder } from './encoder.ts';
import { type LoadOptions, loadAs, openEngine } from './loading.ts';

/**
 * Loads an encoder: BERT, DistilBERT, RoBERTa, XLM-RoBERTa, or a folder of sentence-transformers.
 * @throws VitrineError as `load` does
 */
export function loadEncoder(source: Source, options: LoadOptions = {}): Promise<Encoder> {
  return loadAs({ call: 'loadEncoder', kind: 'encoder' }, source, options, loadEncoderCheckpoint);
}

export async function loadEncoderCheckpoint(
  checkpoint: Checkpoint<EncoderConfig>,
  options: LoadOptions,
): Promise<Encoder> {
  const { config } = checkpoint;
  const { engine, chosen } = await openEngine(
    checkpoint,
    options,
    async () => undefined,
    (plan) => ({
      context: config.nCtx,
      cacheBytes: 0,
      sizeOn: (kind) => encoderSize(kind, plan),
      trials: [{ rows: [{ token: 0, position: 0, slot: 0 }], logitRows: [0] }],
    }),
  );
  return new Encoder(config, engine, chosen);
}
