import { PATIENCE, Queue } from '../plan/patience.ts';
import type { CacheStore, PieceStore, Pieces } from './store.ts';

/** Milliseconds without a sign of life after which storage is given up: private windows and broken profiles never answer. */
export const storagePatience = PATIENCE;

const what = 'The cache did not answer';

/** Settles as `promise` does, or rejects where nothing comes of it. */
export const inTime = <T>(promise: Promise<T>, patience = storagePatience): Promise<T> =>
  new Queue(patience, what).within(promise);

/**
 * A store whose every call settles, a promise whatever it was: it rejects where there was no sign of life for so long, and then at once.
 * @param make is given what to call at each step of a call that takes many
 */
export function timely(
  make: (moved: () => void) => CacheStore & Omit<PieceStore, keyof CacheStore>,
  patience = storagePatience,
): PieceStore {
  const queue = new Queue(patience, what);
  const store = make(queue.moved);
  const wait = async <T>(call: () => T | Promise<T>): Promise<T> => {
    if (queue.late) throw queue.late; // once silent, it is asked no more
    return queue.within(Promise.resolve(call()));
  };
  const { keys, delete: remove, pieces, pieceBytes, copies } = store;
  return {
    get: (key) => wait(() => store.get(key)),
    put: (key, value) => wait(() => store.put(key, value)),
    ...(keys && { keys: (prefix: string) => wait(() => keys.call(store, prefix)) }),
    ...(remove && { delete: (prefix: string) => wait(() => remove.call(store, prefix)) }),
    ...(pieceBytes && { pieceBytes }),
    ...(copies && { copies }),
    ...(pieces && { pieces: (prefix: string, size: number) => timelyPieces(pieces.call(store, prefix, size), wait) }),
  };
}

function timelyPieces(pieces: Pieces, wait: <T>(call: () => T | Promise<T>) => Promise<T>): Pieces {
  return {
    size: pieces.size,
    copies: pieces.copies,
    get: (index, into) => wait(() => pieces.get(index, into)),
    put: (index, bytes) => wait(() => pieces.put(index, bytes)),
    present: () => wait(() => pieces.present()),
    moved: () => wait(() => pieces.moved()),
    close: () => pieces.close(),
  };
}
