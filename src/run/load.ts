import type { Checkpoint } from '../load/checkpoint.ts';
import type { Source } from '../load/source.ts';
import { loadTokenizer } from '../text/load.ts';
import { chunkOn } from './engine.ts';
import { generationOf } from './generation-file.ts';
import { contextOf, type LoadOptions, loadAs, openEngine } from './loading.ts';
import { chatPart, Model } from './model.ts';
import { sessionSize } from './session.ts';

/**
 * Loads a model that writes text: a hub id, a URL, a path or files (see `Source`).
 * @throws VitrineError with the code that tells what went wrong; whatever was allocated is freed. The signal's reason
 *   when it aborts.
 */
export function load(source: Source, options: LoadOptions = {}): Promise<Model> {
  return loadAs({ call: 'load', kind: 'decoder' }, source, options, loadCheckpoint);
}

/** Makes a model of an opened checkpoint. `chunk`: rows of a prefill run at once; results do not depend on it. */
export async function loadCheckpoint(checkpoint: Checkpoint, options: LoadOptions, chunk?: number): Promise<Model> {
  const { config } = checkpoint;
  const { signal } = options;
  const context = contextOf(options, config); // refused before anything is read
  const readSmall = async () => {
    const asked = generationOf(checkpoint, config.vocabSize, signal);
    asked.catch(() => {}); // what is wrong with the tokenizer is told first
    const files = await checkpoint.tokenizerFiles(signal);
    const tokenizer = await loadTokenizer(files, config.vocabSize);
    const generation = await asked;
    // Where settings of the tokenizer are read at all, the template is too; else it waits for a chat.
    const read = async (signal?: AbortSignal) => (await chatPart()).chatTemplatesOf(checkpoint, files, signal);
    const templates = files.config === undefined ? undefined : await read(signal);
    const chatTemplates = async () => templates ?? read();
    return { generation, chatTemplates, tokenizer };
  };
  const { engine, chosen, small } = await openEngine(checkpoint, options, readSmall, () => ({
    context,
    shortens: options.contextLength === undefined,
    sizeOn: (kind, context) => sessionSize(1, { context, chunk: chunk ?? chunkOn[kind] }),
    trials: [{ rows: [{ token: 0, position: 0, slot: 0 }], logitRows: [0] }],
    chunk,
  }));
  const { generation, tokenizer, chatTemplates } = small;
  const ids = {
    bosTokenId: generation.bosTokenId ?? config.bosTokenId ?? tokenizer.eosId,
    eosTokenIds: generation.eosTokenIds ?? config.eosTokenIds,
  };
  return new Model({ ...checkpoint.config, ...ids, generation }, { tokenizer, chatTemplates }, engine, chosen);
}
