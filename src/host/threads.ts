import type { Way } from './worker.ts';

/** What threads over one memory are told, each with its number. */
export interface Work {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** How many there are, with the one that leads, which is thread 0. */
  threads: number;
  /** Runs that were led before they begin. */
  last: number;
}

/**
 * Starts threads 1 .. threads - 1; gives a way to end them.
 * @throws Error that says why they did not start; the memory may be theirs then, and must not be used
 */
export type StartThreads = (ways: Way[], work: Work) => Promise<() => void>;

/** Who starts them in place of this thread: of the engine's worker in Firefox its page does (embed/ask-page.ts). */
export const elsewhere: { start?: StartThreads } = {};
