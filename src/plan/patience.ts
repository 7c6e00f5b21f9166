/** Milliseconds after which a step of opening that says nothing is given up for the next way, where there is one. */
export const PATIENCE = 10_000;
/** The same for compiling, which may take long and says nothing meanwhile. */
export const COMPILING = 60_000;

/** Rejects when nothing has come of `work` for so long; `what` ends the sentence. */
export async function within<T>(milliseconds: number, work: Promise<T>, what: string): Promise<T> {
  const pause = after(milliseconds);
  const late = pause.promise.then(() => {
    throw new Error(`${what} for ${milliseconds / 1000} s`);
  });
  return Promise.race([work, late]).finally(pause.cancel);
}

/** Work that is done side by side, as in a queue: it is given up when none of it has moved for so long. */
export class Queue {
  readonly #milliseconds: number;
  readonly #what: string;
  readonly #waiting = new Set<(late: Error) => void>();
  #moved = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Why work was given up, if any was. */
  late: Error | undefined;

  /** @param what begins the sentence that says how long nothing has moved */
  constructor(milliseconds: number, what: string) {
    this.#milliseconds = milliseconds;
    this.#what = what;
  }

  /** To be called at each step of work that takes many. */
  readonly moved = (): void => {
    this.#moved = performance.now();
  };

  /** As `within`, but what others have got done counts as progress. */
  async within<T>(work: Promise<T>): Promise<T> {
    if (this.#waiting.size === 0) this.moved();
    work.then(this.moved, this.moved);
    let fail: (late: Error) => void = () => {};
    const given = new Promise<never>((_, reject) => {
      fail = reject;
    });
    this.#waiting.add(fail);
    this.#watch();
    return Promise.race([work, given]).finally(() => {
      this.#waiting.delete(fail);
      if (this.#waiting.size === 0) letEnd(this.#timer);
    });
  }

  /** One timer is set for all, and anew when it has run out: one for each of a file's thousands of reads takes as long as they do. */
  #watch(): void {
    if (this.#timer !== undefined) return letEnd(this.#timer, false);
    const left = this.#moved + this.#milliseconds - performance.now();
    if (left <= 0) {
      this.late = new Error(`${this.#what} for ${this.#milliseconds / 1000} s`);
      for (const fail of this.#waiting) fail(this.late);
      return;
    }
    const due = performance.now() + left;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (performance.now() > due + this.#milliseconds / 10) this.moved(); // what held this up may have held up the work too
      if (this.#waiting.size > 0) this.#watch();
    }, left);
  }
}

/** Whether Node may end before a timer does; browsers have nothing of the kind. */
function letEnd(timer: { ref?(): unknown; unref?(): unknown } | number | undefined, may = true): void {
  if (typeof timer === 'object') may ? timer.unref?.() : timer.ref?.();
}

/** A pause that may be cut short: then its promise never settles. */
export function after(milliseconds: number): { promise: Promise<undefined>; cancel: () => void } {
  let cancel = () => {};
  const promise = new Promise<undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), milliseconds);
    cancel = () => clearTimeout(timer);
  });
  return { promise, cancel };
}
