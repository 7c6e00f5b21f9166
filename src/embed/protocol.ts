import { type ErrorCode, VitrineError } from '../plan/error.ts';

/**
 * How a page and its engine worker talk. Every call gets a MessageChannel of its own: the page posts a `Call` with one
 * end; on the other it hears `event`s (progress, tokens) in order and one `result` or `failure`, and may post 'abort'.
 * One channel per call keeps tokens and their result in order and gives every call its own AbortSignal.
 */
export interface Call {
  name: string;
  args: unknown[];
}

export type Answer<Event, Result> = { event: Event } | { result: Result } | { failure: WireFailure };

/** An error as it crosses: structured clone would keep neither `code` nor `hint`. */
export interface WireFailure {
  code?: ErrorCode;
  message: string;
  hint?: string;
  /** The call ended because the page aborted it. */
  aborted?: boolean;
}

export function packFailure(error: unknown, aborted: boolean): WireFailure {
  if (!(error instanceof VitrineError))
    return { message: error instanceof Error ? error.message : String(error), aborted };
  const { code, hint } = error;
  // The constructor joins hint to message; the other side will join it again.
  const message = hint ? error.message.slice(0, -hint.length - 1) : error.message;
  return { code, message, hint, aborted };
}

/** The error again: a VitrineError where it was one. */
export function unpackFailure({ code, message, hint }: WireFailure): Error {
  return code ? new VitrineError(code, message, { hint }) : new Error(message);
}
