import type { Checkpoint } from '../load/checkpoint.ts';
import type { Source } from '../load/source.ts';
import type { EncoderDecoderConfig } from '../model/family.ts';
import { loadTokenizer } from '../text/load.ts';
import { EncoderDecoder } from './encoder-decoder.ts';
import { chunkOn } from './engine.ts';
import { generationOf } from './generation-file.ts';
import { contextOf, type LoadOptions, loadAs, openEngine } from './loading.ts';
import { encodingOf } from './memory.ts';
import { sessionSize } from './session.ts';

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
  const { signal } = options;
  const context = contextOf(options, config);
  const words = Math.max(config.sourceVocabSize, config.vocabSize);
  const readSmall = async () => ({
    generation: { ...config.generation, ...(await generationOf(checkpoint, config.vocabSize, signal)) },
    tokenizer: await loadTokenizer(await checkpoint.tokenizerFiles(signal), words),
  });
  const token = { token: 0, position: 0, slot: 0 };
  const memory = { first: 0, count: 1 };
  const { engine, chosen, small } = await openEngine(checkpoint, options, readSmall, () => ({
    context,
    sizeOn: (kind) => sessionSize(1, { context, chunk: chunk ?? chunkOn[kind], isEncoded: true }),
    trials: [encodingOf({ length: 1, rows: [token] }), { rows: [{ ...token, memory }], logitRows: [0] }],
    chunk,
  }));
  return new EncoderDecoder({ ...config, generation: small.generation }, small.tokenizer, engine, chosen);
}
