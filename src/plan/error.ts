export type ErrorCode =
  | 'bad-checkpoint'
  | 'unsupported-checkpoint'
  | 'network'
  | 'no-webgpu'
  | 'out-of-memory'
  | 'device-lost'
  | 'bad-option'
  | 'context-full'
  | 'disposed'
  | 'no-worker'
  | 'diverged';

/** Every failure of Vitrine. `message` names the tensor, field, option or limit; `hint` names the way out. */
export class VitrineError extends Error {
  override readonly name = 'VitrineError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(options.hint ? `${message} ${options.hint}` : message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}
