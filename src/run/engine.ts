import type { Backend } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import type { Plan } from '../plan/plan.ts';
import { Session } from './session.ts';

/** Idle sessions kept for the prefixes they hold: at most so many, and of so many bytes together. */
const maxIdle = 4;
const maxIdleBytes = 2 ** 28;

export interface EngineOptions {
  plan: Plan;
  /** Positions a session has. */
  context: number;
  /** Opens a backend and puts the weights on it. */
  open(): Promise<Backend>;
  /** Whether a lost device may be replaced by opening another; not if it was the caller's own. */
  reopens: boolean;
  /** The most rows of a prefill that are run at once; by default what suits the backend. */
  chunk?: number | undefined;
}

/** The event loop turns only between chunks where the CPU computes; a GPU is busier with larger ones. */
export const chunkOn = { webgpu: 256, wasm: 64, cpu: 16 };

/** A plan on its backend: lends sessions, keeps idle ones, replaces a lost device. */
export class Engine {
  readonly plan: Plan;
  readonly context: number;
  readonly chunk: number;
  readonly #options: EngineOptions;
  #backend: Backend;
  /** Why the backend is gone. */
  #lost: string | undefined;
  #reopening: Promise<void> | undefined;
  #idle: Session[] = [];
  #disposed = false;

  private constructor(options: EngineOptions, backend: Backend) {
    this.plan = options.plan;
    this.context = options.context;
    this.chunk = options.chunk ?? chunkOn[backend.kind];
    this.#options = options;
    this.#backend = backend;
    this.#watch(backend);
  }

  static async open(options: EngineOptions): Promise<Engine> {
    return new Engine(options, await options.open());
  }

  /** What the weights are on, or were if it has just been lost. */
  get current(): Backend {
    return this.#backend;
  }

  /** Throws `disposed` once the model is. */
  alive(): void {
    if (this.#disposed) throw new VitrineError('disposed', 'The model was disposed.', { hint: 'Load it again.' });
  }

  /** The backend to run on. Where the last one is lost, the next one, with the weights read again. */
  async backend(): Promise<Backend> {
    this.alive();
    if (this.#lost !== undefined) {
      this.#reopening ??= this.#reopen(this.#lost).finally(() => {
        this.#reopening = undefined;
      });
      await this.#reopening;
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

  /** After a failure on `backend`: whether it is gone, so that another try has a chance. */
  async isGone(backend: Backend): Promise<boolean> {
    this.alive();
    // The loss may be told just after the failure it caused.
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, 50));
    const gone = backend !== this.#backend || (await Promise.race([backend.lost, late])) !== undefined;
    this.alive();
    return gone;
  }

  /**
   * A session whose slot 0 holds as much as possible of the beginning of `ids`. It is the caller's alone until it is
   * given back. A session that holds something else is left to whoever comes back to that, while there is room.
   */
  borrow(ids: readonly number[], slots = 1): Session {
    this.alive();
    const fitting = this.#idle.filter((session) => session.slots === slots);
    let best: Session | undefined;
    for (const session of fitting) if (!best || session.shared(ids) > best.shared(ids)) best = session;
    const worth = best && best.shared(ids) * 2 >= Math.min(ids.length, best.held[0]!.length);
    if (!best || (!worth && this.#idle.length < maxIdle && this.#idleBytes + best.bytes <= maxIdleBytes)) {
      return new Session(this, slots);
    }
    const taken = worth ? best : fitting[0]!;
    this.#idle = this.#idle.filter((session) => session !== taken);
    return taken;
  }

  giveBack(session: Session): void {
    if (!session.reusable || this.#disposed) return session.dispose();
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
    if (this.#disposed) return;
    this.#disposed = true;
    this.dropIdle();
    this.#backend.dispose();
  }

  get #idleBytes(): number {
    return this.#idle.reduce((sum, session) => sum + session.bytes, 0);
  }

  #watch(backend: Backend): void {
    void backend.lost.then((reason) => {
      if (backend === this.#backend) this.#lost = reason;
    });
  }

  async #reopen(reason: string): Promise<void> {
    if (!this.#options.reopens) {
      throw new VitrineError('device-lost', `The GPUDevice that the model runs on is lost: ${reason}`, {
        hint: 'Load the model again on a new device.',
      });
    }
    this.#idle = [];
    this.#backend.dispose();
    const backend = await this.#options.open().catch((cause: unknown) => {
      this.alive();
      throw new VitrineError('device-lost', `The GPU was lost (${reason}) and could not be had again: ${cause}`, {
        hint: 'Load the model again.',
        cause,
      });
    });
    if (this.#disposed) return backend.dispose();
    this.#backend = backend;
    this.#lost = undefined;
    this.#watch(backend);
  }
}

/** Lets waiting events in. Not setTimeout, which browsers hold back for 4 ms when it is nested. */
function newTask(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
