import type { Checkpoint } from '../load/checkpoint.ts';
import { parseJson } from '../load/files.ts';
import { readSentenceConfig } from '../load/sentence.ts';
import type { Source } from '../load/source.ts';
import type { EncoderConfig } from '../model/bert.ts';
import { Fields } from '../model/fields.ts';
import { plainSentences, type SentenceConfig } from '../model/sentence.ts';
import { loadTokenizer } from '../text/load.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { encoderSize } from './encode.ts';
import { Encoder } from './encoder.ts';
import { contextOf, type LoadOptions, loadAs, openEngine } from './loading.ts';

/** As loaders.ts has it, which fetches this. */
export function loadEncoder(source: Source, options: LoadOptions = {}): Promise<Encoder> {
  return loadAs({ call: 'loadEncoder', kind: 'encoder' }, source, options, loadEncoderCheckpoint);
}

export async function loadEncoderCheckpoint(checkpoint: Checkpoint<EncoderConfig>, options: LoadOptions) {
  const { config } = checkpoint;
  const context = contextOf(options, config);
  const readSmall = () => readEncoderFiles(checkpoint, options.signal);
  const { engine, chosen, small } = await openEngine(checkpoint, options, readSmall, (plan) => ({
    context,
    sizeOn: (kind) => encoderSize(kind, plan, context),
    trials: [{ rows: [{ token: 0, position: 0, slot: 0 }], logitRows: [0] }],
  }));
  return new Encoder({ config, engine, chosen, ...small });
}

/** What an encoder reads beside its config and weights: its tokenizer, and what the folder says of embeddings. */
export async function readEncoderFiles(
  checkpoint: Checkpoint<EncoderConfig>,
  signal?: AbortSignal,
): Promise<{ tokenizer: Tokenizer; sentences: SentenceConfig }> {
  const { config } = checkpoint;
  const [files, sentences = plainSentences(config.nEmbd)] = await Promise.all([
    checkpoint.tokenizerFiles(signal),
    readSentenceConfig(checkpoint, config, signal),
  ]);
  const settings = files.config ?? (await checkpoint.text('tokenizer_config.json', signal));
  const described = { ...files, ...(settings !== undefined && { config: settings }) };
  const tokenizer = await loadTokenizer(described, config.vocabSize);
  // As sentence-transformers has it: where its own file is silent, the tokenizer's limit holds.
  const longest = sentences.maxLength ?? longestBy(settings);
  return { tokenizer, sentences: { ...sentences, maxLength: longest && Math.min(longest, config.nCtx) } };
}

/** `model_max_length`, which is a very large number where there is none. */
function longestBy(settings: string | undefined): number | undefined {
  if (settings === undefined) return undefined;
  const file = 'tokenizer_config.json';
  const found = new Fields(parseJson(settings, file), file).get('model_max_length');
  return typeof found === 'number' && found >= 1 ? Math.floor(found) : undefined;
}
