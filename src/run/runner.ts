import type { Backend, Batch, Program, ProgramSize, RunResult } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import type { Plan } from '../plan/plan.ts';

/** What a runner needs of its engine: the backend that there is, and the next one where that is lost. */
export interface Host {
  readonly plan: Plan;
  /** Positions of a text. */
  readonly context: number;
  /** The most rows of a prefill that are run at once. */
  readonly chunk: number;
  backend(signal?: AbortSignal): Promise<Backend>;
  /** A program of this plan is wanted, from now on until `release`: what an adapter added stays on the device. */
  hold(plan: Plan): void;
  release(plan: Plan): void;
  /** Puts what an adapter added to a plan on a backend, if it is not there. */
  bring(plan: Plan, backend: Backend): Promise<void>;
  turn(signal: AbortSignal | undefined): Promise<void>;
  until<T>(signal: AbortSignal | undefined, promise: Promise<T>, on?: Backend): Promise<T>;
  attempt<T>(signal: AbortSignal | undefined, use: (backend: Backend) => Promise<T>): Promise<T>;
  survive(backend: Backend, error: unknown, tries: { full: boolean }, signal: AbortSignal | undefined): Promise<void>;
}

/** A plan's program on whatever backend the engine has: made by the first run, and made anew after a loss. */
export class Runner {
  readonly engine: Host;
  readonly plan: Plan;
  readonly size: ProgramSize;
  readonly #capture: ReadonlySet<string>;
  /** The backend that the program is on, or on its way to. */
  #home: Backend | undefined;
  #program: Program | undefined;
  #making: Promise<Program> | undefined;
  #disposed = false;

  constructor(engine: Host, plan: Plan, size: ProgramSize, capture: ReadonlySet<string> = new Set()) {
    this.engine = engine;
    this.plan = plan;
    this.size = size;
    this.#capture = capture;
    engine.hold(plan);
  }

  /** Whether a program is still being made, for a call that may have ended. */
  get busy(): boolean {
    return this.#making !== undefined && this.#program === undefined;
  }

  /** Bytes that its program would take on a backend. */
  bytesOn(backend: Backend): Promise<number> {
    return backend.bytesOf(this.plan, this.size, this.#capture);
  }

  /** Bytes of cache and activations. */
  get bytes(): number {
    return this.#program?.bytes ?? 0;
  }

  run(batch: Batch, signal: AbortSignal | undefined): Promise<RunResult> {
    return this.use(signal, (program) => program.run(batch));
  }

  /** Uses the program; if the device is lost on the way, again on the next one. */
  use<T>(signal: AbortSignal | undefined, use: (program: Program) => Promise<T>): Promise<T> {
    return this.engine.attempt(signal, async (backend) => {
      const program = await this.on(backend, signal);
      signal?.throwIfAborted(); // nobody waits any more, and the program may be somebody else's
      return use(program);
    });
  }

  /** The program on a backend, filled. */
  on(backend: Backend, signal: AbortSignal | undefined): Promise<Program> {
    if (this.#making && backend === this.#home) return this.#making;
    this.#program?.dispose();
    this.#program = undefined;
    this.#home = backend;
    const making = this.#make(backend, signal);
    this.#making = making;
    making.catch(() => {
      if (this.#making === making) this.#making = undefined; // another try may have more room
    });
    return making;
  }

  /** The program, if it is on this backend already. */
  made(backend: Backend): Program | undefined {
    return backend === this.#home ? this.#program : undefined;
  }

  dispose(): void {
    if (!this.#disposed) this.engine.release(this.plan);
    this.#disposed = true;
    this.#program?.dispose();
  }

  /** Brings a new program to where the last one was, stopping where `wanted` throws. */
  protected async fill(_program: Program, _wanted: () => void): Promise<void> {}

  async #make(backend: Backend, signal: AbortSignal | undefined): Promise<Program> {
    await this.engine.bring(this.plan, backend);
    const program = await backend.program(this.plan, this.size, this.#capture);
    const wanted = () => {
      signal?.throwIfAborted();
      if (!this.#disposed && this.#home === backend) return;
      throw new VitrineError('disposed', 'The program went on elsewhere, or was disposed, while it was made.');
    };
    try {
      await this.fill(program, wanted);
      wanted();
    } catch (error) {
      program.dispose();
      throw error;
    }
    this.#program = program;
    return program;
  }
}
