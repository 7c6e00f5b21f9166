import type { Work } from '../host/threads.ts';
import type { Way } from '../host/worker.ts';
import type { ErrorJson } from '../plan/error.ts';
import type { DeviceInfo } from '../run/language-model.ts';

/**
 * How a page and its engine worker talk. Every call gets a MessageChannel of its own: the page posts a `Call` with one
 * end; on the other it hears `event`s (progress, tokens) in order and one `result` or `failure`, and may post 'abort', or
 * 'leave' for what it wants no more of. One channel per call keeps tokens and their result in order and gives every call
 * its own AbortSignal.
 */
export interface Call {
  name: string;
  args: unknown[];
  port: MessagePort;
}

export type Answer<Event, Result> =
  | { event: Event }
  /** `device`: what the model that was called runs on by now. */
  | { result: Result; device?: DeviceInfo }
  | { failure: ErrorJson };

/** What a worker asks of its page, which answers on a port (ask-page.ts). */
export type Wish =
  /** GPT-2's vocabulary, which is too large to be in every worker (asked-vocabulary.ts). */
  | { wants: 'vocabulary' }
  /** Threads by one of these ways; what is posted on the port then ends them. */
  | { wants: 'threads'; ways: Way[]; work: Work };

export type WishAnswer = { result: unknown } | { failure: ErrorJson };
