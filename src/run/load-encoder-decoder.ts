import type { Checkpoint } from '../load/checkpoint.ts';
import type { Source } from '../load/source.ts';
import type { EncoderDecoderConfig } from '../model/family.ts';
import { keyBytes } from '../plan/kv.ts';
import { loadTokenizer } from '../text/load.ts';
import { refuse } from './check.ts';
import { EncoderDecoder } from './encoder-decoder.ts';
import { chunkOn } from './engine.ts';
import { generationOf } from './generation-file.ts';
import { type LoadOptions, loadAs, openEngine } from './loading.ts';
import { encodingOf } from './memory.ts';
import { sessionSize } from './session.ts';

/** Keys and values may be asked for so many beams at once; a smaller limit of the adapter is fine. */
const MOST_BEAMS = 8;

/** As loaders.ts has it, which fetches this. */
export function loadEncoderDecoder(source: Source, options: LoadOptions = {}): Promise<EncoderDecoder> {
  const asked = { call: 'loadEncoderDecoder', kind: 'encoder-decoder' } as const;
  return loadAs(asked, source, options, loadEncoderDecoderCheckpoint);
}

/** `chunk`: rows of a target that are run at once; results do not depend on it. */
export async function loadEncoderDecoderCheckpoint(
  checkpoint: Checkpoint<EncoderDecoderConfig>,
  options: LoadOptions,
  chunk?: number,
): Promise<EncoderDecoder> {
  const { config } = checkpoint;
  const { contextLength, kv, signal } = options;
  if (contextLength !== undefined && contextLength > config.nCtx && !config.isRelative) {
    throw refuse('contextLength', contextLength, `at most the ${config.nCtx} positions that the model has`);
  }
  const context = contextLength ?? config.nCtx;
  const readSmall = async () => ({
    generation: { ...config.generation, ...(await generationOf(checkpoint, config.vocabSize, signal)) },
    tokenizer: await loadTokenizer(
      await checkpoint.tokenizerFiles(signal),
      Math.max(config.sourceVocabSize, config.vocabSize),
    ),
  });
  const [token, memory] = [
    { token: 0, position: 0, slot: 0 },
    { first: 0, count: 1 },
  ];
  const { engine, chosen, small } = await openEngine(checkpoint, options, readSmall, (plan) => ({
    context,
    cacheBytes: Math.max(
      ...[...plan.sources.values()].map(
        ({ nHead, headDim }) => MOST_BEAMS * 2 * context * nHead * keyBytes(kv ?? 'f32', headDim),
      ),
    ),
    sizeOn: (kind) => sessionSize(1, { context, chunk: chunk ?? chunkOn[kind], isEncoded: true }),
    trials: [encodingOf({ length: 1, rows: [token] }), { rows: [{ ...token, memory }], logitRows: [0] }],
    chunk,
  }));
  return new EncoderDecoder({ ...config, generation: small.generation }, small.tokenizer, engine, chosen);
}
