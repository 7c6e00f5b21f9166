import type { Checkpoint, StoredPart } from '../load/checkpoint.ts';
import type { BaseConfig } from '../model/family.ts';
import type { Backend } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import { newTask } from '../plan/task.ts';
import type { AddedWeights } from './added-weights.ts';
import type { SourceText } from './memory.ts';
import { Session } from './session.ts';

/** A GPU that is lost so many times in a row is left. */
const mostLosses = 3;
/** How long a loss may be told after the failures that it caused. */
const toldWithinMs = 1000;
/** A device that lived for so long was no failure of the one before it. */
const longLifeMs = 60_000;

/** Idle sessions kept for the prefixes they hold: at most so many, and of so many bytes together. */
const maxIdle = 4;
const maxIdleBytes = 2 ** 28;

export interface EngineOptions {
  plan: Plan;
  /** Where the weights come from: what adapters are made for. */
  checkpoint?: Checkpoint<BaseConfig>;
  /** Positions a session has. */
  context: number;
  /** Opens a backend and puts the weights on it. */
  open(attempt: Attempt): Promise<Backend>;
  /** Whether a lost device may be replaced by opening another; not if it was the caller's own. */
  reopens: boolean;
  /** Whether a GPU that is lost too often may be left for what runs without one. */
  leaves?: boolean;
  /** How long a GPU that was lost may take to come back, its process or driver begun anew: 15 s by default. */
  comesBackWithinMs?: number;
  /** The most rows of a prefill that are run at once; by default what suits the backend. */
  chunk?: number | undefined;
}

/** What a backend is opened after. */
export interface Attempt {
  /** Why the last one is gone; undefined at first. */
  lost: string | undefined;
  /** No GPU any more. */
  leaving: boolean;
  /** Aborts when the model is disposed meanwhile. */
  signal: AbortSignal;
}

/** The event loop turns only between chunks where the CPU computes; a GPU is busier with larger ones. */
export const chunkOn = { webgpu: 256, wasm: 64, cpu: 16 };

/** A plan on its backend: lends sessions, keeps idle ones, replaces a lost device. */
export class Engine {
  /** The checkpoint's own. */
  readonly base: Plan;
  readonly checkpoint: Checkpoint<BaseConfig> | undefined;
  readonly context: number;
  /** What an adapter makes of the base, where one is on. */
  #plan: Plan;
  /** What adapters brought along, once one was put on (adapt.ts). */
  added: AddedWeights | undefined;
  readonly #onAdapt = new Set<() => void>();
  #changing: Promise<unknown> = Promise.resolve();
  readonly #options: EngineOptions;
  #backend: Backend;
  /** Why the backend is gone. */
  #lost: string | undefined;
  /** Losses in a row: no call ended well between. */
  #losses = 0;
  #openedAt = performance.now();
  #reopening: Promise<void> | undefined;
  #idle: Session[] = [];
  /** Aborts when the engine is disposed. */
  readonly #end = new AbortController();
  /** Ends what waits for a backend, or with undefined for the next one. */
  readonly #waiting = new Map<(reason: unknown) => void, Backend | undefined>();

  private constructor(options: EngineOptions, backend: Backend) {
    this.base = options.plan;
    this.checkpoint = options.checkpoint;
    this.#plan = options.plan;
    this.context = options.context;
    this.#options = options;
    this.#backend = backend;
    this.#watch(backend);
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const { signal } = new AbortController();
    return new Engine(options, await options.open({ lost: undefined, leaving: false, signal }));
  }

  /** The stored tensors of a weight; without a checkpoint it is one, as the plan has it. */
  partsOf(weight: WeightSpec): StoredPart[] {
    const { name, rows, columns, kind, storedTransposed: isTransposed, order } = weight;
    const shape = kind === 'vector' ? [columns] : isTransposed ? [columns, rows] : [rows, columns];
    return this.checkpoint?.partsOf?.(weight) ?? [{ name, planName: name, shape, rows, columns, isTransposed, order }];
  }

  /** What the next run runs. Who takes several steps keeps the one that it began with. */
  get plan(): Plan {
    return this.#plan;
  }

  /** From the next run on, this plan: the base or what an adapter makes of it. Idle sessions of plans that are left go. */
  follow(plan: Plan): void {
    this.#plan = plan;
    this.#idle = this.#idle.filter((session) => this.lasts(session.plan) || session.dispose());
    for (const tell of this.#onAdapt) tell();
  }

  /** One change of adapters after the other, in the order in which they were asked for. */
  inTurn<T>(change: () => Promise<T>): Promise<T> {
    const begun = this.#changing.then(change);
    this.#changing = begun.catch(() => {});
    return begun;
  }

  /** Whether programs of this plan are worth keeping: they are of the base, or of what is or was on. */
  lasts(plan: Plan): boolean {
    return plan === this.base || (this.added?.recent.includes(plan) ?? false);
  }

  /** Calls back after each change of the plan. */
  onAdapt(tell: () => void): void {
    this.#onAdapt.add(tell);
  }

  hold(plan: Plan): void {
    this.added?.hold(plan);
  }

  release(plan: Plan): void {
    this.added?.release(plan, this.#backend);
  }

  async bring(plan: Plan, backend: Backend): Promise<void> {
    await this.added?.bring(plan, backend);
  }

  /** The most rows of a prefill that are run at once. */
  get chunk(): number {
    return this.#options.chunk ?? chunkOn[this.#backend.kind];
  }

  /** What the weights are on, or were if it has just been lost. */
  get current(): Backend {
    return this.#backend;
  }

  /** Throws `disposed` once the model is. */
  alive(): void {
    if (this.#end.signal.aborted) throw disposed();
  }

  /** A call ended well: the device works. */
  proved(): void {
    this.#losses = 0;
  }

  /** The backend to run on. Where the last one is lost, the next one, with the weights read again. */
  async backend(signal?: AbortSignal): Promise<Backend> {
    this.alive();
    if (this.#lost !== undefined) {
      this.#reopening ??= this.#reopen(this.#lost).finally(() => {
        this.#reopening = undefined;
      });
      await this.until(signal, this.#reopening);
      this.alive();
    }
    return this.#backend;
  }

  /** Before a run: throws if it was cancelled or the model disposed, and gives the event loop a turn if a run would not. */
  async turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.#backend.kind !== 'webgpu') await newTask();
    signal?.throwIfAborted();
    this.alive();
  }

  /** `promise`, unless before that the signal aborts, the model is disposed, or `on` is lost. */
  until<T>(signal: AbortSignal | undefined, promise: Promise<T>, on?: Backend): Promise<T> {
    return new Promise((resolve, reject) => {
      const abort = () => fail(signal!.reason);
      const forget = () => {
        signal?.removeEventListener('abort', abort);
        this.#waiting.delete(fail);
      };
      const fail = (reason: unknown) => {
        forget();
        reject(reason);
      };
      signal?.addEventListener('abort', abort);
      this.#waiting.set(fail, on);
      promise.then((value) => {
        forget();
        resolve(value);
      }, fail);
      if (signal?.aborted) abort();
    });
  }

  /** Runs `use` on the backend; if that is lost on the way, again on the next one. */
  async attempt<T>(signal: AbortSignal | undefined, use: (backend: Backend) => Promise<T>): Promise<T> {
    for (const tries = { full: false }; ; ) {
      const backend = await this.backend(signal);
      try {
        return await this.until(signal, use(backend), backend);
      } catch (error) {
        await this.survive(backend, error, tries, signal);
      }
    }
  }

  /**
   * After a failure on `backend`: returns where another try has a chance, because the device is gone or, once, because idle
   * sessions held memory; throws the error where none has.
   */
  async survive(backend: Backend, error: unknown, tries: { full: boolean }, signal?: AbortSignal): Promise<void> {
    this.alive();
    signal?.throwIfAborted();
    if (backend !== this.#backend || this.#lost !== undefined) return;
    const code = error instanceof VitrineError ? error.code : undefined;
    if (code === 'out-of-memory' && !tries.full) {
      tries.full = true;
      this.dropIdle();
      return;
    }
    if (code !== undefined && code !== 'device-lost' && code !== 'no-webgpu' && code !== 'disposed') throw error;
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, toldWithinMs));
    const lost = await this.until(signal, Promise.race([backend.lost, late]));
    this.alive();
    if (lost === undefined && code !== 'device-lost') throw error;
    if (backend === this.#backend) this.#lost ??= lost ?? (error as VitrineError).message;
  }

  /**
   * A session whose slot 0 holds as much as possible of the beginning of `ids`, written after `source`. It is the caller's alone
   * until it is given back. A session that holds something else is left to whoever comes back to that, while there is room.
   */
  borrow(ids: readonly number[], slots = 1, source?: SourceText): Session {
    this.alive();
    const fitting = this.#idle.filter((session) => session.slots === slots && session.plan === this.#plan);
    const sharedBy = (session: Session) => session.shared(ids, source);
    let best: Session | undefined;
    for (const session of fitting) if (!best || sharedBy(session) > sharedBy(best)) best = session;
    const worth = best && sharedBy(best) * 2 >= Math.min(ids.length, best.held[0]!.length);
    let taken: Session;
    if (!best || (!worth && this.#idle.length < maxIdle && this.#idleBytes + best.bytes <= maxIdleBytes)) {
      taken = new Session(this, slots);
    } else {
      taken = worth ? best : fitting[0]!;
      this.#idle = this.#idle.filter((session) => session !== taken);
    }
    taken.follow(source);
    return taken;
  }

  /** What `use` makes of a session that is borrowed for it. */
  async lend<T>(ids: readonly number[], use: (session: Session) => Promise<T>, source?: SourceText): Promise<T> {
    const session = this.borrow(ids, 1, source);
    try {
      return await use(session);
    } finally {
      this.giveBack(session);
    }
  }

  giveBack(session: Session): void {
    const isGood = session.reusable && this.lasts(session.plan) && session.bytes > 0;
    if (!isGood || session.busy || this.#end.signal.aborted) return session.dispose();
    this.#idle.push(session); // the least recently used come first
    while (this.#idle.length > maxIdle || (this.#idle.length > 1 && this.#idleBytes > maxIdleBytes)) {
      this.#idle.shift()!.dispose();
    }
  }

  /** Frees the idle sessions; false if there were none. */
  dropIdle(): boolean {
    const dropped = this.#idle.splice(0);
    for (const session of dropped) session.dispose();
    return dropped.length > 0;
  }

  /** Frees everything. Whatever runs ends with `disposed`. */
  dispose(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort(disposed());
    for (const fail of this.#waiting.keys()) fail(disposed());
    this.dropIdle();
    this.#backend.dispose();
  }

  get #idleBytes(): number {
    return this.#idle.reduce((sum, session) => sum + session.bytes, 0);
  }

  #watch(backend: Backend): void {
    void backend.lost.then((reason) => {
      if (backend === this.#backend) this.#lost = reason;
      const lost = new VitrineError('device-lost', backend.kind === 'wasm' ? reason : `The GPU was lost: ${reason}`);
      for (const [fail, on] of this.#waiting) if (on === backend) fail(lost);
    });
  }

  async #reopen(lost: string): Promise<void> {
    // What traps in WebAssembly would trap again; a GPU of the caller's is not ours to replace.
    if (this.#backend.kind === 'wasm') throw new VitrineError('device-lost', lost, { hint: 'Load the model again.' });
    if (!this.#options.reopens) {
      const hint = 'Load the model again on a new device.';
      throw new VitrineError('device-lost', `The GPUDevice that the model runs on is lost: ${lost}`, { hint });
    }
    this.dropIdle();
    this.#backend.dispose();
    if (performance.now() - this.#openedAt > longLifeMs) this.#losses = 0;
    this.#losses++;
    const backend = await this.#openAgain(lost).catch((cause: unknown) => {
      this.alive();
      const wasAll = this.#losses >= mostLosses;
      this.#losses = 0; // the next call tries anew
      const found = wasAll ? `was lost ${mostLosses} times in a row` : 'was lost and could not be had again';
      const hint = "Load the model again, or with device: 'wasm'.";
      throw new VitrineError('device-lost', `The GPU ${found} (${lost}): ${cause}`, { hint, cause });
    });
    if (this.#end.signal.aborted) return backend.dispose();
    this.#backend = backend;
    this.#lost = undefined;
    this.#openedAt = performance.now();
    this.#watch(backend);
  }

  /** The next backend. An adapter may be missing for a while after a loss: it is waited for. */
  async #openAgain(lost: string): Promise<Backend> {
    const { signal } = this.#end;
    const { leaves = false, comesBackWithinMs = 15_000, open } = this.#options;
    const end = performance.now() + comesBackWithinMs;
    let failure: unknown;
    for (let wait = 50; this.#losses < mostLosses; wait = Math.min(2 * wait, 1000)) {
      try {
        return await open({ lost, leaving: false, signal });
      } catch (error) {
        failure = error;
        this.alive();
        const code = error instanceof VitrineError ? error.code : undefined;
        if (code === 'device-lost') this.#losses++;
        else if (code !== 'no-webgpu') throw error;
        else if (performance.now() + wait > end) break;
        else await this.until(undefined, new Promise<void>((resolve) => setTimeout(resolve, wait)));
      }
    }
    if (!leaves) throw failure ?? new VitrineError('device-lost', `It is left after ${this.#losses} losses.`);
    return open({ lost: `The GPU was left after ${this.#losses} losses: ${lost}`, leaving: true, signal });
  }
}

const disposed = () => new VitrineError('disposed', 'The model was disposed.', { hint: 'Load it again.' });
