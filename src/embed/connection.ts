import type { Thread } from '../host/worker.ts';
import type { DeviceInfo, Inspection, InspectOptions, LoadOptions, Pipelines, Progress, Source } from '../index.ts';
import { addressOf, textOf } from '../load/address.ts';
import { heard } from '../load/heard.ts';
import { badOption, errorOf, VitrineError, why } from '../plan/error.ts';
import { after, PATIENCE, within } from '../plan/patience.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import { isFunction, isSignal, quote, refuse } from '../run/refuse.ts';
import type { Calls } from './calls.ts';
import type { Loader } from './kinds.ts';
import type { Answer, Call } from './protocol.ts';

type Result<Name extends keyof Calls> = Awaited<ReturnType<Calls[Name]>>;
type Rest<Args extends unknown[]> = Args extends [unknown, ...infer Others] ? Others : never;

interface Listeners {
  signal?: AbortSignal | undefined;
  /** Aborts when nothing more is wanted than the result of what was done so far. */
  leave?: AbortSignal;
  onEvent?: (event: never) => void;
  /** What the model runs on by now. */
  onDevice?: (device: DeviceInfo) => void;
  /** Of the arguments, what is handed over. */
  transfer?: readonly Transferable[];
}

/** The page's end of the talk with a worker (protocol.ts). */
export class Connection {
  readonly #worker: Promise<Thread>;
  readonly #patience: number;
  readonly #pending = new Set<(error: Error) => void>();
  /** Why it answers no more. */
  #ended: Error | undefined;

  /** @param patience milliseconds without a word, while a model is loaded, after which the worker is greeted again */
  constructor(worker: Promise<Thread>, patience = PATIENCE) {
    this.#worker = worker;
    this.#patience = patience;
    worker.then(
      (started) => {
        started.unref?.(); // a call under way keeps Node running, a worker that waits does not
        started.onerror = (event) => {
          event.preventDefault();
          this.#fail(new VitrineError('network', `The engine's worker failed: ${event.message}.`, { hint: 'Reload.' }));
        };
      },
      (error: Error) => this.end(error), // it never began
    );
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Loads a model as its loader does, with what can cross. */
  async load(loader: Loader, source: Source, options: object, task?: keyof Pipelines): Promise<Result<'load'>> {
    const { plain, ...own } = split(task === undefined ? loader : 'pipeline', options);
    const { signal, onProgress } = heard(own.onProgress, own.signal);
    let last = performance.now();
    const onEvent = (progress: Progress) => {
      last = performance.now();
      onProgress?.(progress);
    };
    const loading = this.#talk('load', [loader, crossing(source), atWhole(plain), task], { signal, onEvent });
    void this.#watch(loading, () => last);
    return untilAborted(loading, signal).catch((error: unknown) => {
      loading.then(({ id }) => this.call('dispose', [id])).catch(() => {}); // the abort crossed the answer on its way
      throw error;
    });
  }

  async inspect(source: Source, options: InspectOptions): Promise<Inspection> {
    const { plain, signal } = split('inspect', options);
    return this.call('inspect', [crossing(source), atWhole(plain)], { signal });
  }

  /** One call of the worker's. Aborted, it ends whatever the worker is at, and no result comes after it. */
  call<Name extends keyof Calls>(
    name: Name,
    args: Rest<Parameters<Calls[Name]>>,
    listeners: Listeners = {},
  ): Promise<Result<Name>> {
    return untilAborted(this.#talk(name, args, listeners), listeners.signal);
  }

  /** A call up to the worker's own answer. */
  #talk<Name extends keyof Calls>(
    name: Name,
    args: Rest<Parameters<Calls[Name]>>,
    { signal, leave, onEvent, onDevice, transfer = [] }: Listeners,
  ): Promise<Result<Name>> {
    const { port1: port, port2 } = new MessageChannel();
    let posted = false;
    let fail = (_: Error) => {};
    let onAbort = () => {};
    const onLeave = () => port.postMessage('leave');
    return new Promise<Result<Name>>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#ended) throw this.#ended;
      fail = reject;
      this.#pending.add(fail);
      onAbort = () => (posted ? port.postMessage('abort') : reject(signal!.reason));
      signal?.addEventListener('abort', onAbort);
      leave?.addEventListener('abort', onLeave);
      port.onmessage = ({ data }: MessageEvent<Answer<never, Result<Name>>>) => {
        if ('event' in data) return onEvent?.(data.event);
        if ('failure' in data) return reject(signal?.aborted ? signal.reason : errorOf(data.failure));
        if (data.device) onDevice?.(data.device);
        resolve(data.result);
      };
      const post = (worker: Thread) => {
        if (signal?.aborted || this.#ended) return; // it was told
        posted = true;
        postCall(worker, { name, args, port: port2 }, transfer);
      };
      this.#worker.then(post).catch(reject);
    }).finally(() => {
      this.#pending.delete(fail);
      signal?.removeEventListener('abort', onAbort);
      leave?.removeEventListener('abort', onLeave);
      port.close();
    });
  }

  /**
   * Ends the connection when the worker has stopped: silent while it loads, and deaf to a greeting. Firefox has been seen to leave a
   * worker standing, whose own timers then say nothing.
   */
  async #watch(load: Promise<unknown>, last: () => number): Promise<void> {
    let settled = false;
    const end = () => {
      settled = true;
    };
    const over = load.then(end, end);
    await this.#worker.catch(end);
    while (!settled) {
      const pause = after(this.#patience);
      await Promise.race([pause.promise, over]).finally(pause.cancel); // a timer would keep Node running
      if (settled || performance.now() - last() < this.#patience) continue;
      const stopped = "The engine's worker has said nothing";
      const greeting = within(2 * this.#patience, this.call('greet', []), stopped);
      await greeting.catch((cause: Error) => {
        if (!settled) this.end(new VitrineError('no-worker', `${cause.message}.`, { hint: 'Load again.', cause }));
      });
    }
  }

  /** What runs, and all that is called later, rejects with `error`. */
  end(error: Error): void {
    this.#ended ??= error;
    this.#fail(this.#ended);
  }

  #fail(error: Error): void {
    for (const reject of this.#pending) reject(error);
  }
}

function postCall(worker: Thread, call: Call, transfer: readonly Transferable[]): void {
  try {
    worker.postMessage(call, [call.port, ...transfer]);
  } catch (cause) {
    const name = call.name === 'ask' ? String(call.args[1]) : call.name === 'pipe' ? 'the pipeline' : call.name;
    const message = `What ${name} is given cannot cross into a worker: ${why(cause)}.`;
    throw badOption(message, onThisThread, cause);
  }
}

const onThisThread = 'Functions and GPU objects work only with models of the thread that owns them.';

/**
 * The options of a call: those that are heard on this side, and those that cross. What is no object is for the engine to refuse.
 * @throws VitrineError `bad-option` for one that cannot cross, before anything is sent
 */
export function split(call: string, options: object) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return { plain: options as unknown };
  const { signal, onProgress, ...plain } = options as Pick<LoadOptions, 'signal' | 'onProgress'> & {
    device?: unknown;
    cache?: unknown;
  };
  if (signal !== undefined && !isSignal.accepts(signal)) throw refuse('signal', signal, isSignal.expects);
  if (onProgress !== undefined && !isFunction.accepts(onProgress))
    throw refuse('onProgress', onProgress, isFunction.expects);
  for (const [name, value] of Object.entries(plain)) {
    // Objects with methods would arrive without them.
    const acts = (name === 'device' || name === 'cache') && typeof value === 'object';
    if (!acts && canCross(value)) continue;
    const what = `Option ${name} of ${call} is ${quote(value)}, which cannot cross into a worker.`;
    throw badOption(what, onThisThread);
  }
  // The engine hears that there is one, or has no such option and says so.
  return { plain: { ...plain, ...(onProgress && { onProgress: true }) } as unknown, signal, onProgress };
}

/** Text and numbers for certain; of the rest the platform is asked, but for the arrays, which it would copy. */
function canCross(value: unknown): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return true;
  if (Array.isArray(value)) return value.every(canCross);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return Object.values(value).every(canCross);
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

/** Options with a whole address of the hub, and of an adapter. */
function atWhole(options: unknown): LoadOptions {
  const { endpoint, adapter } = (options ?? {}) as LoadOptions;
  if (endpoint === undefined && adapter === undefined) return options as LoadOptions;
  const where = endpoint !== undefined && { endpoint: addressOf(endpoint) };
  return { ...(options as LoadOptions), ...where, ...(adapter && { adapter: crossing(adapter as Source) }) };
}

/** A worker has an address of its own, so paths are told whole; it takes no URL objects. */
function crossing(source: Source): Source {
  const text = textOf(source);
  return text === undefined ? source : addressOf(text);
}
