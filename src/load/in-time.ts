import { PATIENCE } from '../plan/patience.ts';
import type { PieceStore, Pieces } from './store.ts';

/** Milliseconds without a sign of life after which storage is given up: private windows and broken profiles never answer. */
export const storagePatience = PATIENCE;

/** Storage that says nothing. */
export class Silent extends Error {
  constructor(patience: number) {
    super(`The cache did not answer for ${patience / 1000} s`);
  }
}

/** Settles as `promise` does, or rejects with Silent. */
export function inTime<T>(promise: Promise<T>, patience = storagePatience): Promise<T> {
  return new Clock(patience).await(() => promise);
}

/**
 * A store whose every call settles: with Silent where there was no sign of life for so long, and then at once.
 * @param make is given what to call at each step of a call that takes many
 */
export function timely(make: (moved: () => void) => PieceStore, patience = storagePatience): PieceStore {
  const clock = new Clock(patience);
  const store = make(() => clock.restart());
  const { keys, delete: remove, pieces, pieceBytes } = store;
  return {
    get: (key) => clock.await(() => store.get(key)),
    put: (key, value) => clock.await(() => store.put(key, value)),
    ...(keys && { keys: (prefix: string) => clock.await(() => keys.call(store, prefix)) }),
    ...(remove && { delete: (prefix: string) => clock.await(() => remove.call(store, prefix)) }),
    ...(pieceBytes && { pieceBytes }),
    ...(pieces && { pieces: (prefix: string, size: number) => timelyPieces(pieces.call(store, prefix, size), clock) }),
  };
}

function timelyPieces(pieces: Pieces, clock: Clock): Pieces {
  return {
    size: pieces.size,
    get: (index) => clock.await(() => pieces.get(index)),
    put: (index, bytes) => clock.await(() => pieces.put(index, bytes)),
    present: () => clock.await(() => pieces.present()),
    moved: () => clock.await(() => pieces.moved()),
    close: () => pieces.close(),
  };
}

/** Waits for calls, side by side, as long as one of them moves. */
class Clock {
  readonly #patience: number;
  readonly #waiting = new Set<(error: Error) => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silent: Silent | undefined;

  constructor(patience: number) {
    this.#patience = patience;
  }

  restart(): void {
    clearTimeout(this.#timer);
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#giveUp(), this.#patience);
  }

  async await<T>(call: () => Promise<T>): Promise<T> {
    if (this.#silent) throw this.#silent;
    let fail: (error: Error) => void = () => {};
    const given = new Promise<never>((_, reject) => {
      fail = reject;
    });
    this.#waiting.add(fail);
    this.restart();
    try {
      return await Promise.race([call(), given]);
    } finally {
      this.#waiting.delete(fail);
      this.restart();
    }
  }

  #giveUp(): void {
    this.#silent = new Silent(this.#patience);
    for (const fail of this.#waiting) fail(this.#silent);
  }
}
