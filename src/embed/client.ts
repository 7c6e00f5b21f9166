import type { Thread } from '../host/worker.ts';
import type {
  Completion,
  DeviceInfo,
  GenerateOptions,
  LensOptions,
  LoadOptions,
  LogitsOptions,
  Model,
  ModelConfig,
  Overview,
  OverviewOptions,
  Profile,
  ProfileOptions,
  Progress,
  Prompt,
  Score,
  ScoreOptions,
  Source,
  TensorSpec,
  Token,
  TopToken,
  TracedTensor,
  TraceOptions,
  WeightOptions,
} from '../index.ts';
import { addressOf, textOf } from '../load/address.ts';
import { VitrineError } from '../plan/error.ts';
import { type Answer, type Call, unpackFailure } from './protocol.ts';
import { greetEngine, startEngine } from './start.ts';
import type { Calls, WorkerTrace } from './worker.ts';

/** Load options that can cross into a worker: no functions, no GPUDevice. `dtype`, `contextLength`, ... as in `load`. */
export type WorkerLoadOptions = Omit<LoadOptions, 'fetch' | 'cache' | 'device'> & {
  cache?: Extract<LoadOptions['cache'], string | false>;
  device?: Extract<LoadOptions['device'], string>;
};

/** Generation options that can cross: all but the caller's own functions. */
export type WorkerGenerateOptions = Omit<GenerateOptions, 'logitsProcessors'>;

export type WorkerTraceOptions = Omit<TraceOptions, 'capture'> & { capture?: readonly string[] };

type Result<Name extends keyof Calls> = Awaited<ReturnType<Calls[Name]>>;
type Rest<Args extends unknown[]> = Args extends [unknown, ...infer Others] ? Others : never;

interface Hearing {
  signal?: AbortSignal;
  onEvent?: (event: never) => void;
}

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
  readonly #worker: Promise<Thread>;
  readonly #end = new AbortController();
  readonly #pending = new Set<(error: Error) => void>();
  /** Why it answers no more. */
  #ended: Error | undefined;

  /** `worker`: one whose script imports `vitrine/engine`, where a bundler does not find the package's own (docs/hosts.md). */
  constructor(worker?: Worker) {
    this.#worker = worker ? greetEngine(worker, this.#end.signal) : startEngine(this.#end.signal);
    this.#worker.then(
      (started) => {
        started.onerror = (event) => {
          event.preventDefault();
          this.#fail(new VitrineError('network', `The engine's worker failed: ${event.message}.`, { hint: 'Reload.' }));
        };
      },
      (error: Error) => {
        this.#ended ??= error; // it never began
        this.#fail(this.#ended);
      },
    );
  }

  /** Loads a model as `load` does. Throws what `load` throws. Several models may be loaded side by side. */
  async load(source: Source, options: WorkerLoadOptions = {}): Promise<WorkerModel> {
    const { signal, onProgress, ...rest } = options;
    const onEvent = (progress: Progress) => onProgress?.(progress);
    if (rest.endpoint !== undefined) rest.endpoint = addressOf(rest.endpoint);
    const loaded = await this.call('load', [crossing(source), rest], { signal, onEvent });
    const model = new WorkerModel(this, loaded);
    if (!signal?.aborted) return model;
    void model.dispose(); // the abort crossed the answer on its way
    throw signal.reason;
  }

  /** Ends the worker and frees all its models at once; calls under way, and later ones, reject with `disposed`. */
  terminate(): void {
    this.#ended = new VitrineError('disposed', 'The engine was terminated.');
    this.#end.abort(this.#ended); // ends what is only starting
    this.#worker.then(
      (worker) => worker.terminate(),
      () => {},
    );
    this.#fail(this.#ended);
  }

  /** Whether nothing is heard from it any more: it was terminated, or its script did not load. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** What is in the platform's cache, as `models.list` and `models.delete`. */
  readonly cachedModels = {
    list: () => this.call('listModels', []),
    delete: (name: string) => this.call('deleteModel', [name]),
  };

  /** One call of the worker's; the typed methods here and of WorkerModel are made of it. */
  call<Name extends keyof Calls>(
    name: Name,
    args: Rest<Parameters<Calls[Name]>>,
    { signal, onEvent }: Hearing = {},
  ): Promise<Result<Name>> {
    const { port1: port, port2 } = new MessageChannel();
    let posted = false;
    let fail = (_: Error) => {};
    let onAbort = () => {};
    return new Promise<Result<Name>>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#ended) throw this.#ended;
      fail = reject;
      this.#pending.add(fail);
      onAbort = () => (posted ? port.postMessage('abort') : reject(signal!.reason));
      signal?.addEventListener('abort', onAbort);
      port.onmessage = ({ data }: MessageEvent<Answer<never, Result<Name>>>) => {
        if ('event' in data) onEvent?.(data.event);
        else if ('result' in data) resolve(data.result);
        else reject(data.failure.aborted && signal?.aborted ? signal.reason : unpackFailure(data.failure));
      };
      const post = (worker: Thread) => {
        if (signal?.aborted || this.#ended) return; // it was told
        posted = true;
        postCall(worker, { name, args }, port2);
      };
      this.#worker.then(post).catch(reject);
    }).finally(() => {
      this.#pending.delete(fail);
      signal?.removeEventListener('abort', onAbort);
      port.close();
    });
  }

  #fail(error: Error): void {
    for (const reject of this.#pending) reject(error);
  }
}

function postCall(worker: Thread, call: Call, port: MessagePort): void {
  try {
    worker.postMessage(call, [port]);
  } catch (cause) {
    const hint = 'Functions and GPU objects work only with `load` itself, on the thread that owns them.';
    throw new VitrineError('bad-option', `An option cannot cross into a worker: ${cause}.`, { hint, cause });
  }
}

/** A worker has an address of its own, so paths are told whole; it takes no URL objects. */
function crossing(source: Source): Source {
  const text = textOf(source);
  return text === undefined ? source : addressOf(text);
}

/** A model in the worker: `Model`, with a promise wherever the answer has to come from there. */
export class WorkerModel {
  readonly config: ModelConfig;
  /** What really runs it: kind, adapter, dtype, bytes. */
  readonly device: DeviceInfo;
  readonly #engine: EngineWorker;
  readonly #id: number;

  readonly #tensors: TensorSpec[];

  /** `EngineWorker.load` makes them. */
  constructor(engine: EngineWorker, { id, config, device, tensors }: Result<'load'>) {
    this.#engine = engine;
    this.#id = id;
    this.config = config;
    this.device = device;
    this.#tensors = tensors;
  }

  /** As `Model.tensors`. */
  tensors(): TensorSpec[] {
    return this.#tensors;
  }

  /** Tokens as they come; leaving the loop early stops the worker too. */
  async *generate(prompt: Prompt, options: WorkerGenerateOptions = {}): AsyncGenerator<Token, Completion> {
    const { signal, ...rest } = options;
    const left = new AbortController();
    const tokens: Token[] = [];
    let wake = () => {};
    const hearing = {
      signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
      onEvent: (token: Token) => {
        tokens.push(token);
        wake();
      },
    };
    let ended = false;
    const completion = this.#engine.call('generate', [this.#id, prompt, rest], hearing).finally(() => {
      ended = true;
      wake();
    });
    completion.catch(() => {}); // heard below, or not wanted any more
    try {
      for (;;) {
        while (tokens.length) yield tokens.shift()!;
        if (ended) return await completion;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      left.abort();
    }
  }

  /** All of it at once. */
  async complete(prompt: Prompt, options: WorkerGenerateOptions = {}): Promise<Completion> {
    const { signal, ...rest } = options;
    return this.#engine.call('generate', [this.#id, prompt, rest], { signal });
  }

  /** As `Model.logits`: data [positions, vocabSize]. */
  logits(prompt: Prompt, { signal, ...options }: LogitsOptions = {}) {
    return this.#engine.call('logits', [this.#id, prompt, options], { signal });
  }

  score(prompt: Prompt, { signal, ...options }: ScoreOptions = {}): Promise<Score> {
    return this.#engine.call('score', [this.#id, prompt, options], { signal });
  }

  /** As `Model.trace`; `capture` by names and globs. */
  trace(prompt: Prompt, { signal, ...options }: WorkerTraceOptions = {}): Promise<WorkerTrace> {
    return this.#engine.call('trace', [this.#id, prompt, options], { signal });
  }

  /** As `Model.weight`: rows of a weight as the device holds them. */
  weight(name: string, { signal, ...options }: WeightOptions = {}) {
    return this.#engine.call('weight', [this.#id, name, options], { signal });
  }

  /** As `overview`. */
  overview(prompt: Prompt, { signal, ...options }: OverviewOptions = {}): Promise<Overview> {
    return this.#engine.call('overview', [this.#id, prompt, options], { signal });
  }

  /** The `count` likeliest tokens of `logitLens`, best first: [nLayer][positions][count]. */
  lens(prompt: Prompt, count: number, { signal, ...options }: LensOptions = {}): Promise<TopToken[][][]> {
    return this.#engine.call('lens', [this.#id, prompt, count, options], { signal });
  }

  /** The tokens whose embeddings are nearest to a token's, by cosine, best first. */
  nearest(token: number, count: number, { signal }: { signal?: AbortSignal } = {}) {
    return this.#engine.call('nearest', [this.#id, token, count], { signal });
  }

  /** As `rowSimilarities`: cosines [rows, rows] of a weight's rows. */
  similarities(name: string, { signal }: { signal?: AbortSignal } = {}): Promise<TracedTensor> {
    return this.#engine.call('similarities', [this.#id, name], { signal });
  }

  /** As `Model.profile`. */
  profile(prompt: Prompt, { signal, ...options }: ProfileOptions = {}): Promise<Profile> {
    return this.#engine.call('profile', [this.#id, prompt, options], { signal });
  }

  /** UTF-8 bytes of a token. */
  bytes(token: number): Promise<Uint8Array> {
    return this.#engine.call('bytes', [this.#id, token]);
  }

  encode(...args: Parameters<Model['tokenizer']['encode']>) {
    return this.#engine.call('encode', [this.#id, ...args]);
  }

  decode(ids: number[]): Promise<string> {
    return this.#engine.call('decode', [this.#id, ids]);
  }

  /** What each token adds to the text; joined, they are `decode` of all. A character comes with its last token. */
  pieces(ids: number[]): Promise<string[]> {
    return this.#engine.call('pieces', [this.#id, ids]);
  }

  /** A token's bytes as text, as `Tokenizer.token`. */
  token(id: number): Promise<string> {
    return this.#engine.call('token', [this.#id, id]);
  }

  /** Frees the model's memory, the GPU's too. Safe to call twice, and after the engine has ended. */
  async dispose(): Promise<void> {
    if (!this.#engine.ended) await this.#engine.call('dispose', [this.#id]);
  }
}
