import { badOption, type VitrineError } from '../plan/error.ts';

/** What an option may be. */
export interface Check {
  /** Ends the sentence "expected ...". */
  expects: string;
  accepts(value: unknown): boolean;
}

export const isFunction: Check = { expects: 'a function', accepts: (value) => typeof value === 'function' };

/** By its members: a signal may come from another realm. */
export const isSignal: Check = {
  expects: 'an AbortSignal',
  accepts: (value) => typeof (value as AbortSignal | null)?.throwIfAborted === 'function',
};

export function refuse(option: string, found: unknown, expected: string): VitrineError {
  return badOption(`Option ${option} is ${quote(found)}; expected ${expected}.`);
}

/** A value in a message, short. */
export function quote(value: unknown): string {
  if (Array.isArray(value)) {
    const items = value.slice(0, 8).map((item) => (Array.isArray(item) ? '[...]' : quote(item)));
    return `[${items.join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  }
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null)
    return `an object (${value.constructor?.name ?? 'without prototype'})`;
  return typeof value === 'bigint' ? `${value}n` : String(value);
}
