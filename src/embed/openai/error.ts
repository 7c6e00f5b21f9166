import { VitrineError } from '../../plan/error.ts';
import type { ErrorObject } from './types.ts';

/** A failure as the `openai` package throws it: HTTP status, and OpenAI's error object and its fields. */
export class APIError extends Error {
  override readonly name = 'APIError';
  readonly status: number;
  readonly error: ErrorObject;
  readonly code: string | null;
  readonly param: string | null;
  readonly type: ErrorObject['type'];

  constructor(status: number, error: ErrorObject, cause?: unknown) {
    super(`${status} ${error.message}`, { cause });
    this.status = status;
    this.error = error;
    this.code = error.code;
    this.param = error.param;
    this.type = error.type;
  }
}

/** The request is at fault. */
export function invalid(message: string, param: string | null, code: string | null = null, status = 400): APIError {
  return new APIError(status, { message, type: 'invalid_request_error', param, code });
}

/** Codes of an engine that cannot answer now; every other failure of its own is 500. */
const unavailable = new Set<string>(['device-lost', 'disposed', 'network', 'out-of-memory']);

/** Any failure of the engine's as OpenAI's API would answer; an abort is none. */
export function apiError(error: unknown): APIError {
  if (error instanceof APIError) return error;
  const { message, code } = error instanceof VitrineError ? error : { message: String(error), code: null };
  if (code === 'context-full') {
    const full = { message, type: 'invalid_request_error', param: 'prompt', code: 'context_length_exceeded' } as const;
    return new APIError(400, full, error);
  }
  if (code === 'bad-option') {
    return new APIError(400, { message, type: 'invalid_request_error', param: null, code: 'invalid_value' }, error);
  }
  const status = code && unavailable.has(code) ? 503 : 500;
  return new APIError(status, { message, type: 'server_error', param: null, code }, error);
}
