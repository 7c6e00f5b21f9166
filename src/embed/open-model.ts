import type { LanguageModel, LoadOptions, Source } from '../index.ts';
import { VitrineError } from '../plan/error.ts';
import type { EngineWorker, WorkerLoadOptions } from './client.ts';

export interface OpenOptions extends LoadOptions {
  /** false: on this thread. By default in a worker, and on this thread only where there can be none. */
  worker?: boolean;
}

/** One worker serves all models of a page; it ends with the last of them. */
let engine: EngineWorker | undefined;
let models = 0;
/** Found out once: the page may start none of these workers. */
let refused: { Worker: unknown } | undefined;

export interface OpenedModel {
  model: LanguageModel;
  close(): void;
}

/**
 * Loads a model as `load` does, in a worker if there can be one and the options can cross to it. The engine itself is
 * fetched now, not before.
 * @throws what `load` throws
 */
export async function openModel(source: Source, { worker = true, ...options }: OpenOptions): Promise<OpenedModel> {
  if (worker && !isRefused() && crosses(options)) {
    const opened = await openInWorker(source, options);
    if (opened) return opened;
  }
  const { load } = await import('../index.ts');
  const model = await load(source, options);
  return { model, close: () => model.dispose() };
}

const isRefused = () => refused !== undefined && refused.Worker === globalThis.Worker;

/** Functions, stores and devices of the caller's stay on the thread that they belong to. */
function crosses({ fetch, cache, device }: LoadOptions): boolean {
  return !fetch && typeof cache !== 'object' && typeof device !== 'object';
}

/** undefined where no worker can be had. */
async function openInWorker(source: Source, options: LoadOptions): Promise<OpenedModel | undefined> {
  const { EngineWorker } = await import('./client.ts');
  options.signal?.throwIfAborted();
  const own = (engine ??= new EngineWorker());
  models++;
  try {
    const model = await own.load(source, options as WorkerLoadOptions);
    const close = () => {
      if (!leave(own)) model.dispose().catch(() => {}); // the worker may fail meanwhile, and holds nothing then
    };
    return { model, close };
  } catch (error) {
    const neverBegan = own.ended; // a worker that once answered fails call by call
    leave(own);
    if (!neverBegan || options.signal?.aborted) throw error;
    if (error instanceof VitrineError && error.code === 'no-worker') refused = { Worker: globalThis.Worker };
    return undefined;
  }
}

/** Whether the worker ended: nobody needs it any more. */
function leave(own: EngineWorker): boolean {
  models--;
  if (models === 0) own.terminate();
  if (own.ended && engine === own) engine = undefined;
  return own.ended;
}
