import type { Checkpoint } from '../load/checkpoint.ts';
import type { Source } from '../load/source.ts';
import { keyBytes } from '../plan/kv.ts';
import type { Plan } from '../plan/plan.ts';
import { loadTokenizer } from '../text/load.ts';
import { chatTemplatesOf } from './chat.ts';
import { refuse } from './check.ts';
import { chunkOn } from './engine.ts';
import { generationOf } from './generation-file.ts';
import { type LoadOptions, loadAs, openEngine } from './loading.ts';
import { Model } from './model.ts';
import { sessionSize } from './session.ts';

/** A KV cache may be asked for so many beams at once; a smaller limit of the adapter is fine. */
const MOST_BEAMS = 8;

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
  const { contextLength, kv, signal } = options;
  if (contextLength !== undefined && contextLength > config.nCtx) {
    throw refuse('contextLength', contextLength, `at most the ${config.nCtx} positions that the model has`);
  }
  const context = contextLength ?? config.nCtx;
  const readSmall = async () => {
    const files = await checkpoint.tokenizerFiles(signal);
    const tokenizer = await loadTokenizer(files, config.vocabSize);
    const generation = await generationOf(checkpoint, config.vocabSize, signal);
    // Where settings of the tokenizer are read at all, the template is too; else it waits for a chat.
    const templates = files.config === undefined ? undefined : await chatTemplatesOf(checkpoint, files, signal);
    const chatTemplates = async () => templates ?? chatTemplatesOf(checkpoint, files);
    return { generation, chatTemplates, tokenizer };
  };
  const { engine, chosen, small } = await openEngine(checkpoint, options, readSmall, (plan) => ({
    context,
    shortens: contextLength === undefined,
    cacheBytes: MOST_BEAMS * context * layerBytes(plan, kv),
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

/** Bytes of a position's keys and values in the widest layer. */
function layerBytes({ sources }: Plan, kv: LoadOptions['kv'] = 'f32'): number {
  return Math.max(...[...sources.values()].map(({ nHead, headDim }) => 2 * nHead * keyBytes(kv, headDim)));
}
