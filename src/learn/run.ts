import type { Adapter } from '../adapter/adapter.ts';
import type { Checkpoint, Evaluation } from './checkpoint.ts';
import type { RunMemory } from './memory.ts';

/** A step that was taken. Loss and norm are of before it. */
export interface Step {
  /** From 0, and how many there will be. */
  step: number;
  steps: number;
  /** How often all examples have been learnt from, with a fraction. */
  epoch: number;
  loss: number;
  learningRate: number;
  /** Of all gradients together, before it was clipped. */
  gradNorm: number;
  /** Learnt from so far. */
  tokens: number;
  tokensPerSecond: number;
  /** What is left at this pace. */
  secondsLeft: number;
  /** The page was in the background meanwhile, where browsers slow it down. */
  inBackground: boolean;
  /** After an epoch, where `evaluate` is given. */
  evaluation?: Evaluation;
}

/** What a run made. */
export interface Trained {
  adapter: Adapter;
  /** Steps that were taken. */
  steps: number;
  /** Of the last step. */
  loss: number;
  evaluation: Evaluation | undefined;
}

export type PlainStep = Omit<Step, 'inBackground'>;

/** Who takes the steps: this thread, or the model's. */
export interface Course {
  steps(): AsyncGenerator<PlainStep, Trained>;
  /** Ends it where it is; undefined where it has not begun. */
  finish(): Promise<Trained | undefined>;
  readonly adapter: Adapter | undefined;
  checkpoint(): Checkpoint;
  memory(): Promise<RunMemory>;
}

/** A run of `train`. */
export class Training implements AsyncGenerator<Step, Trained> {
  readonly #course: Course;
  readonly #steps: AsyncGenerator<PlainStep, Trained>;
  /** Settles when no step is under way. */
  #still: Promise<unknown> = Promise.resolve();

  /** @internal `train` makes them. */
  constructor(course: Course) {
    this.#course = course;
    this.#steps = course.steps();
  }

  next(): Promise<IteratorResult<Step, Trained>> {
    return this.#inTurn(() => this.#next());
  }

  async #next(): Promise<IteratorResult<Step, Trained>> {
    const watch = watchPage();
    try {
      const { done, value } = await this.#steps.next();
      return done ? { done, value } : { done: false, value: { ...value, inBackground: watch.wasHidden } };
    } finally {
      watch.end();
    }
  }

  /** Ends the run and puts on what was learnt so far, which is its value: also after an abort, or another failure. */
  return(): Promise<IteratorResult<Step, Trained>> {
    return this.#inTurn(async () => {
      const value = await this.#course.finish();
      await this.#steps.return(undefined as unknown as Trained);
      return { done: true, value: value! };
    });
  }

  /** Ends the run with an error, with which it rejects; the model stays as it is. */
  throw(error: unknown): Promise<IteratorResult<Step, Trained>> {
    return this.#inTurn(() => this.#steps.throw(error) as Promise<IteratorResult<Step, Trained>>);
  }

  /** One after the other, in the order in which they were asked for. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#still.then(work);
    this.#still = done.catch(() => {});
    return done;
  }

  /** What the run takes, told before any of it is taken: it reads the examples, and begins nothing. */
  memory(): Promise<RunMemory> {
    return this.#inTurn(() => this.#course.memory());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** What was learnt until the last whole step; undefined before the run has begun, and of all weights in a worker until it has ended. */
  get adapter(): Adapter | undefined {
    return this.#course.adapter;
  }

  /** The run as it is after the last whole step: given as `resume` with the same examples and options it goes on as if it had not stopped. */
  checkpoint(): Checkpoint {
    return this.#course.checkpoint();
  }
}

/** Whether the page is in the background at any time from now on. */
function watchPage() {
  const page = (globalThis as { document?: Document }).document;
  const watch = {
    wasHidden: page?.visibilityState === 'hidden',
    end: () => page?.removeEventListener('visibilitychange', look),
  };
  const look = () => {
    watch.wasHidden ||= page?.visibilityState === 'hidden';
  };
  page?.addEventListener('visibilitychange', look);
  return watch;
}
