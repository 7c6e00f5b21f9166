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

/** Work that is done side by side, as in a queue: it is given up when none of it has been done for so long. */
export class Queue {
  readonly #milliseconds: number;
  #waiting = 0;
  #moved = 0;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  /** As `within`, but what others have got done counts as progress. */
  async within<T>(work: Promise<T>, what: string): Promise<T> {
    if (this.#waiting++ === 0) this.#moved = performance.now();
    const moved = () => {
      this.#moved = performance.now();
    };
    work.then(moved, moved);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const still = new Promise<never>((_, reject) => {
      const look = () => {
        const left = this.#moved + this.#milliseconds - performance.now();
        if (left <= 0) reject(new Error(`${what} for ${this.#milliseconds / 1000} s`));
        else timer = setTimeout(look, left);
      };
      look();
    });
    return Promise.race([work, still]).finally(() => {
      this.#waiting--;
      clearTimeout(timer);
    });
  }
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
