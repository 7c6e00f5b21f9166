import { untilAborted } from '../plan/until-aborted.ts';
import { pause } from './files.ts';
import { storagePatience } from './in-time.ts';

const waiting = new Map<string, Promise<unknown>>();

interface Waiting {
  signal: AbortSignal | undefined;
  /** What grows while whoever is before us moves. */
  moves(): Promise<number>;
  patience: number | undefined;
}

/**
 * Runs `use` while no other tab, nor another load here, uses the same file.
 * @throws Error where there is no lock to be had: it is refused, or whoever holds it has not moved for too long
 */
export async function exclusively<T>(
  key: string,
  { signal, moves, patience }: Waiting,
  use: () => Promise<T>,
): Promise<T> {
  const name = `vitrine:${key}`;
  const stop = new AbortController();
  const begun = new AbortController();
  const signals = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const begin = async () => {
    signals.throwIfAborted(); // it was given up, and comes late
    begun.abort();
    return use();
  };
  void watch(moves, patience, begun.signal).then((why) => why && stop.abort(why));
  try {
    if (typeof navigator !== 'undefined' && navigator.locks) {
      const lock = async () => (await navigator.locks.request(name, { signal: signals }, begin)) as T;
      return await untilBegun(lock(), signals, begun.signal);
    }
    const before = waiting.get(name);
    const turn = (before ?? Promise.resolve()).catch(() => {}).then(begin);
    waiting.set(name, turn);
    void turn.catch(() => {}).finally(() => waiting.get(name) === turn && waiting.delete(name));
    return await untilBegun(turn, signals, begun.signal);
  } finally {
    begun.abort();
  }
}

/** As `untilAborted`, but what has begun ends by itself. */
function untilBegun<T>(turn: Promise<T>, signal: AbortSignal, begun: AbortSignal): Promise<T> {
  return untilAborted(turn, signal).catch((error: unknown) => {
    if (begun.aborted) return turn;
    throw error;
  });
}

/** Why there is nothing to wait for any longer; undefined once it is `over`. */
async function watch(
  moves: () => Promise<number>,
  patience = storagePatience,
  over: AbortSignal,
): Promise<Error | undefined> {
  try {
    await pause(patience / 50, over);
    for (let before = -1; ; await pause(patience, over)) {
      const now = await untilAborted(moves(), over);
      if (now === before) return new Error(`whoever has it has not moved for ${patience / 1000} s`);
      before = now;
    }
  } catch (error) {
    return over.aborted ? undefined : (error as Error);
  }
}
