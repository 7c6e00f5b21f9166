import type { Completion, DeviceInfo, ImageSource, ModelTokenizer, TensorSpec, Token, WeightShape } from '../index.ts';
import { errorOf } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { type Afar, afar, type FarRun } from '../run/afar.ts';
import { namesThat, Trace } from '../run/traced.ts';
import type { PlainTokenizer, PlainTrace, Spelled } from './calls.ts';
import { type Connection, split } from './connection.ts';
import { kinds, type Loader, type Spelling, spellings, type WorkerModels } from './kinds.ts';

type Loaded = Awaited<ReturnType<Connection['load']>>;

/** Tells its models, `model instanceof WorkerVision`; `EngineWorker` makes them. */
export type WorkerClass<M> = abstract new (...args: never[]) => M;

/** What every model in the worker has; its calls are those of its kind (kinds.ts). */
class Remote {
  readonly #connection: Connection;
  readonly #loaded: Loaded;
  #device: DeviceInfo;

  constructor(connection: Connection, loaded: Loaded) {
    this.#connection = connection;
    this.#loaded = loaded;
    this.#device = loaded.device;
    Object.assign(this, loaded.fields);
    if (loaded.tokenizer) Object.assign(this, { tokenizer: remoteTokenizer(connection, loaded.id, loaded.tokenizer) });
  }

  /** The class of what a loader gives, with the calls of its kind. */
  static of<L extends Loader>(loader: L): WorkerClass<WorkerModels[L]> {
    const kind = class extends Remote {};
    const calls: Readonly<Record<string, readonly string[]>> = kinds[loader].calls;
    for (const [name, takes] of Object.entries(calls)) {
      const value = function (this: Remote, ...args: unknown[]) {
        if (name !== 'generate' && name !== 'chat') return this.#ask(name, takes, args);
        return this.#generate(name, ...(args as [unknown]));
      };
      Object.defineProperty(kind.prototype, name, { value, configurable: true, writable: true });
    }
    const get = function (this: Remote): Afar {
      return this.#afar(loader === 'loadVision' ? 'image' : 'input');
    };
    Object.defineProperty(kind.prototype, afar, { get, configurable: true });
    return kind as unknown as WorkerClass<WorkerModels[L]>;
  }

  /** How `vitrine/learn` asks it. @param what is 'image' where inputs and examples may have images */
  #afar(what: string): Afar {
    const ask: Afar['ask'] = (name, subjects, options) => {
      const takes = subjects.map(() => what);
      return this.#ask(name, takes, [...subjects, options]);
    };
    const run: Afar['run'] = (examples, options) => {
      const number = ++runs;
      let isBegun = false;
      const ask: FarRun['ask'] = async (asked, signal) => {
        if (asked === 'end' && !isBegun) return {};
        const transfer: Transferable[] = [];
        const begin = isBegun ? undefined : await course(what, examples, options, transfer, signal);
        isBegun = true;
        const listeners = { signal, transfer, onDevice: this.#onDevice };
        return this.#connection.call('train', [this.#loaded.id, number, asked, begin], listeners);
      };
      return { ask };
    };
    return { ask, run };
  }

  /** What really runs it, as the worker's last answer said. */
  get device(): DeviceInfo {
    return this.#device;
  }

  tensors(): TensorSpec[] {
    return structuredClone(this.#loaded.tensors);
  }

  weights(): WeightShape[] {
    return structuredClone(this.#loaded.weights);
  }

  async dispose(): Promise<void> {
    if (!this.#connection.ended) await this.#connection.call('dispose', [this.#loaded.id]);
  }

  [Symbol.dispose](): void {
    this.dispose().catch(() => {}); // the worker that ended on the way has freed it
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /** One call, asked and answered once. `takes`: names of what it takes before its options. */
  async #ask(name: string, takes: readonly string[], args: readonly unknown[]): Promise<unknown> {
    const { [takes.length]: options = {} } = args;
    const { plain, onProgress, ...own } = split(name, this.#named(options) as object);
    const { signal, onEvent } = ending(onProgress, own.signal);
    const transfer: Transferable[] = [];
    const subjects = takes.map((_, i) => args[i]);
    for (const [i, what] of takes.entries()) {
      if (what === 'image') subjects[i] = await sendable(args[i], transfer, signal);
    }
    const listeners = { signal, onEvent, transfer, onDevice: this.#onDevice };
    const answer = await this.#connection.call('ask', [this.#loaded.id, name, subjects, plain], listeners);
    if (name !== 'trace') return answer;
    const { tokens, logits, tensors } = answer as PlainTrace;
    return new Trace(tokens, logits, tensors);
  }

  /**
   * Text, token by token. The worker does not wait for the loop: the completion of one that is left early has the tokens
   * that were on their way.
   */
  async *#generate(
    name: 'generate' | 'chat',
    prompt: unknown,
    options: object = {},
  ): AsyncGenerator<Token, Completion> {
    const { plain, signal } = split(name, options);
    const tokens: Token[] = [];
    let wake = () => {};
    const onEvent = (token: Token) => {
      tokens.push(token);
      wake();
    };
    const leave = new AbortController();
    let ended = false;
    const listeners = { signal, onEvent, leave: leave.signal, onDevice: this.#onDevice };
    const completion = this.#connection
      .call('generate', [this.#loaded.id, name, prompt, plain], listeners)
      .finally(() => {
        ended = true;
        wake();
      });
    completion.catch(() => {}); // heard below
    let left = true;
    try {
      for (;;) {
        while (tokens.length) {
          signal?.throwIfAborted();
          yield tokens.shift()!;
        }
        if (ended) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      left = false;
      return await completion;
    } catch (error) {
      left = false; // an abort, though all had come
      throw error;
    } finally {
      leave.abort();
      // biome-ignore lint/correctness/noUnsafeFinally: this is how a generator gives return() a value
      if (left) return await completion;
    }
  }

  readonly #onDevice = (device: DeviceInfo): void => {
    this.#device = device;
  };

  /** A predicate on names cannot cross; the names that it means can. */
  #named(options: unknown): unknown {
    const { capture } = (options ?? {}) as { capture?: unknown };
    if (typeof capture !== 'function') return options;
    const { tensors, others } = this.#loaded;
    const own = tensors.map(({ name }) => name);
    return { ...(options as object), capture: namesThat(capture as (name: string) => boolean, own, others) };
  }
}

let runs = 0;

/** What a run of `train` is of, as it crosses. @throws VitrineError `bad-option` for what cannot */
async function course(
  what: string,
  examples: unknown,
  options: unknown,
  transfer: Transferable[],
  signal: AbortSignal | undefined,
): Promise<[unknown, unknown]> {
  const { plain } = split('train', options as object);
  if (what !== 'image') return [examples, plain];
  const { evaluate } = (plain ?? {}) as { evaluate?: unknown };
  const judged = Array.isArray(evaluate) && { evaluate: await sendable(evaluate, transfer, signal) };
  return [await sendable(examples, transfer, signal), judged ? { ...(plain as object), ...judged } : plain];
}

/** An image as it crosses, a list of them, or what has one as `image`; `transfer` gets what of it is handed over. */
export async function sendable(image: unknown, transfer: Transferable[], signal?: AbortSignal): Promise<unknown> {
  if (Array.isArray(image)) {
    const all: unknown[] = [];
    for (const one of image) all.push(await sendable(one, transfer, signal));
    return all;
  }
  if (typeof image === 'object' && image && 'image' in image) {
    return { ...image, image: await sendable(image.image, transfer, signal) };
  }
  const { sendableImage } = await part('What readies images', () => import('../image/sendable.ts'));
  const sent = await sendableImage(image as ImageSource, signal);
  transfer.push(...sent.transfer);
  return sent.image;
}

/** What `onProgress` throws ends the call that it hears. */
function ending(onProgress: ((progress: never) => unknown) | undefined, signal: AbortSignal | undefined) {
  if (!onProgress) return { signal };
  const thrown = new AbortController();
  const onEvent = async (progress: never) => {
    try {
      await onProgress(progress);
    } catch (error) {
      thrown.abort(error);
    }
  };
  return { signal: signal ? AbortSignal.any([signal, thrown.signal]) : thrown.signal, onEvent };
}

/** A decoder in the worker: a `LanguageModel`, as `Model` is. */
export const WorkerModel = Remote.of('load');
export type WorkerModel = WorkerModels['load'];
/** An encoder in the worker, as `Encoder`. */
export const WorkerEncoder = Remote.of('loadEncoder');
export type WorkerEncoder = WorkerModels['loadEncoder'];
/** An encoder-decoder in the worker, as `EncoderDecoder`. */
export const WorkerEncoderDecoder = Remote.of('loadEncoderDecoder');
export type WorkerEncoderDecoder = WorkerModels['loadEncoderDecoder'];
/** An image encoder in the worker, as `Vision`. */
export const WorkerVision = Remote.of('loadVision');
export type WorkerVision = WorkerModels['loadVision'];

const classes = {
  load: WorkerModel,
  loadEncoder: WorkerEncoder,
  loadEncoderDecoder: WorkerEncoderDecoder,
  loadVision: WorkerVision,
} satisfies { [L in Loader]: unknown };

/** @internal */
export function remoteModel<L extends Loader>(connection: Connection, loader: L, loaded: Loaded): WorkerModels[L] {
  const kind = classes[loader] as unknown as new (connection: Connection, loaded: Loaded) => WorkerModels[L];
  return new kind(connection, loaded);
}

let streams = 0;

/** What is asked of single tokens in one task crosses in one call: it is posted after the task, with all that joined it. */
function inOneCall(call: (tokens: number[]) => ReturnType<Connection['call']>): (token: number) => Promise<unknown> {
  let open: { tokens: number[]; answers: Promise<Spelled[]> } | undefined;
  return async (token) => {
    if (!open) {
      const tokens: number[] = [];
      open = { tokens, answers: call(tokens) as Promise<Spelled[]> };
      queueMicrotask(() => {
        open = undefined;
      });
    }
    const { tokens, answers } = open;
    const at = tokens.push(token) - 1;
    const answer = (await answers)[at]!;
    if ('failure' in answer) throw errorOf(answer.failure);
    return answer.result;
  };
}

/** The worker spells. */
function remoteTokenizer(connection: Connection, id: number, plain: PlainTokenizer, isTarget = false): ModelTokenizer {
  const spell = (name: Spelling) => {
    const each = inOneCall((tokens) => connection.call('spellEach', [id, isTarget, name, tokens]));
    const one = (...args: unknown[]) => connection.call('spell', [id, isTarget, name, args]);
    return [
      name,
      (...args: unknown[]) => (args.length === 1 && Number.isInteger(args[0]) ? each(args[0] as number) : one(...args)),
    ];
  };
  const stream: ModelTokenizer['stream'] = (options) => {
    const which: [number, object?] = [++streams, options];
    return {
      push: (token) => connection.call('stream', [id, isTarget, which, token]),
      flush: () => connection.call('stream', [id, isTarget, which]),
    };
  };
  const target = plain.target && { target: remoteTokenizer(connection, id, plain.target, true) };
  return { ...plain, ...target, stream, ...Object.fromEntries(spellings.map(spell)) } as ModelTokenizer;
}
