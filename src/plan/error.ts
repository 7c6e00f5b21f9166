export type ErrorCode =
  | 'bad-checkpoint'
  | 'unsupported-checkpoint'
  | 'network'
  | 'no-webgpu'
  | 'no-worker'
  | 'out-of-memory'
  | 'device-lost'
  | 'diverged'
  | 'bad-option'
  | 'context-full'
  | 'disposed';

/** An error as JSON: what `JSON.stringify` gives for a VitrineError, and how one crosses from a worker. */
export interface ErrorJson {
  name: string;
  code?: ErrorCode;
  message: string;
  hint?: string;
  page?: string;
  /** What led to it, as far back as is known. */
  cause?: ErrorJson;
}

/** Every failure of Vitrine. `message` names the tensor, field, option or limit; `hint` names the way out. */
export class VitrineError extends Error {
  override readonly name = 'VitrineError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Of a gated model: the web page where its licence is accepted. */
  readonly page: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; page?: string; cause?: unknown } = {}) {
    const { hint, page, cause } = options;
    super(hint ? `${message} ${hint}` : message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
    this.page = page;
  }

  /** An Error's own fields are lost to JSON.stringify; these are not. */
  toJSON(): ErrorJson {
    return errorJson(this);
  }
}

/** What most errors are, each with its way out. */
export const badOption = (message: string, hint?: string, cause?: unknown) =>
  new VitrineError('bad-option', message, { hint, cause });
export const badCheckpoint = (message: string, hint?: string, cause?: unknown) =>
  new VitrineError('bad-checkpoint', message, { hint, cause });
export const unsupportedCheckpoint = (message: string, hint?: string, cause?: unknown) =>
  new VitrineError('unsupported-checkpoint', message, { hint, cause });

/** @param depth of causes that are followed: a cause may be its own */
export function errorJson(error: unknown, depth = 8): ErrorJson {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, cause } = error;
  const { code, hint, page } = error instanceof VitrineError ? error : {};
  return {
    name,
    ...(code && { code }),
    message,
    ...(hint && { hint }),
    ...(page && { page }),
    ...(cause !== undefined && depth > 0 && { cause: errorJson(cause, depth - 1) }),
  };
}

/** The error again: a VitrineError where it was one. */
export function errorOf({ name, code, message, hint, page, cause }: ErrorJson): Error {
  const options = { hint, page, cause: cause && errorOf(cause) };
  // The constructor joins the hint to the message, which already has it.
  const plain = hint && message.endsWith(` ${hint}`) ? message.slice(0, -hint.length - 1) : message;
  if (code) return new VitrineError(code, plain, options);
  const error = new Error(message, options.cause && { cause: options.cause });
  error.name = name;
  return error;
}

/** Why something failed, to end a sentence with. */
export function why(cause: unknown): string {
  const text = cause instanceof Error ? cause.message || cause.name : String(cause);
  return text.replace(/\.\s*$/, '');
}
