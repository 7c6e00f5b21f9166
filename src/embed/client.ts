/**
 * The engine in a worker.
 * @module vitrine/worker
 */
import type { Inspection, InspectOptions, LoadOptions, PipelineOptions, Pipelines, Source } from '../index.ts';
import { VitrineError } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { Connection } from './connection.ts';
import { type Loader, loaderOf, type WorkerModels, type WorkerPipelines } from './kinds.ts';
import type { WorkerClass } from './model.ts';
import { remoteModel, WorkerEncoder, WorkerEncoderDecoder, WorkerModel, WorkerVision } from './model.ts';
import { greetEngine, startEngine } from './start.ts';

export type { Analyses, InWorker, WorkerPipelines } from './kinds.ts';
export { type WorkerClass, WorkerEncoder, WorkerEncoderDecoder, WorkerModel, WorkerVision };

/** Load options that can cross into a worker: no functions, no GPUDevice. `dtype`, `contextLength`, ... as in `load`. */
export type WorkerLoadOptions = Omit<LoadOptions, 'fetch' | 'cache' | 'device'> & {
  cache?: Extract<LoadOptions['cache'], string | false>;
  device?: Extract<LoadOptions['device'], string>;
};

/** Options of `pipeline` that can cross into a worker. */
export type WorkerPipelineOptions = Omit<PipelineOptions, keyof WorkerLoadOptions | 'fetch' | 'device'> &
  Omit<WorkerLoadOptions, 'device' | 'dtype'> & {
    device?: WorkerLoadOptions['device'] | 'gpu';
    dtype?: PipelineOptions['dtype'];
  };

/** Options of `inspect` that can cross into a worker. */
export type WorkerInspectOptions = Omit<InspectOptions, 'fetch' | 'cache'> & Pick<WorkerLoadOptions, 'cache'>;

/**
 * The engine in a Web Worker, so that a page never freezes while a model loads or runs.
 *
 *     import { EngineWorker } from 'vitrine/worker';
 *     const engine = new EngineWorker();
 *     const model = await engine.load('openai-community/gpt2', { onProgress, signal });
 *     for await (const token of model.generate('Once upon a time', { seed: 1, signal })) show(token.text);
 *     engine.terminate();
 *
 * Failures are the same `VitrineError`s as without a worker; an aborted call rejects with its signal's reason.
 */
export class EngineWorker {
  readonly #worker: ReturnType<typeof startEngine>;
  readonly #end = new AbortController();
  readonly #connection: Connection;

  /** `worker`: one whose script imports `vitrine/engine`, where a bundler does not find the package's own (docs/hosts.md). */
  constructor(worker?: Worker) {
    this.#worker = worker ? greetEngine(worker, this.#end.signal) : startEngine(this.#end.signal);
    this.#connection = new Connection(this.#worker);
  }

  /**
   * Loads a model as `load` does. Several models may be loaded side by side.
   * @throws VitrineError what `load` throws, and `bad-option` for what cannot cross into a worker
   */
  async load(source: Source, options: WorkerLoadOptions = {}): Promise<WorkerModel> {
    return this.#load('load', source, options);
  }

  /** Loads an encoder as `loadEncoder` does. */
  async loadEncoder(source: Source, options: WorkerLoadOptions = {}): Promise<WorkerEncoder> {
    return this.#load('loadEncoder', source, options);
  }

  /** Loads an encoder-decoder as `loadEncoderDecoder` does. */
  async loadEncoderDecoder(source: Source, options: WorkerLoadOptions = {}): Promise<WorkerEncoderDecoder> {
    return this.#load('loadEncoderDecoder', source, options);
  }

  /** Loads an image encoder as `loadVision` does. */
  async loadVision(source: Source, options: WorkerLoadOptions = {}): Promise<WorkerVision> {
    return this.#load('loadVision', source, options);
  }

  async #load<L extends Loader>(loader: L, source: Source, options: object): Promise<WorkerModels[L]> {
    return remoteModel(this.#connection, loader, await this.#connection.load(loader, source, options));
  }

  /** A task as `pipeline` makes it, its model in the worker. */
  async pipeline<Name extends keyof Pipelines>(
    task: Name,
    source: Source,
    options: WorkerPipelineOptions = {},
  ): Promise<WorkerPipelines[Name]> {
    const { remotePipeline, telling } = await part('What pipes to the worker', () => import('./pipeline.ts'));
    const { progress_callback: tell, ...rest } = options;
    const own = { ...rest, ...(tell && { onProgress: telling(tell, rest.onProgress) }) };
    const loaded = await this.#connection.load(loaderOf(String(task)), source, own, task);
    return remotePipeline<Name>(this.#connection, loaded);
  }

  /** What a checkpoint is, as `inspect` says it. */
  inspect(source: Source, options: WorkerInspectOptions = {}): Promise<Inspection> {
    return this.#connection.inspect(source, options);
  }

  /** Ends the worker and frees all its models at once; calls under way, and later ones, reject with `disposed`. */
  terminate(): void {
    const disposed = new VitrineError('disposed', 'The engine was terminated.');
    this.#connection.end(disposed);
    this.#end.abort(disposed); // ends what is only starting
    this.#worker.then(
      (worker) => worker.terminate(),
      () => {},
    );
  }

  /** Whether nothing is heard from it any more: it was terminated, or its script did not load. */
  get ended(): boolean {
    return this.#connection.ended;
  }

  /** What is in the platform's cache, as `models.list` and `models.delete`. */
  readonly cachedModels = {
    list: () => this.#connection.call('listModels', []),
    delete: (name: string) => this.#connection.call('deleteModel', [name]),
  };
}
