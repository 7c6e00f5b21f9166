import { VitrineError } from '../plan/error.ts';
import { show } from '../plan/show.ts';

export type Json = Record<string, unknown>;

export function bad(message: string): VitrineError {
  return new VitrineError('bad-checkpoint', message);
}

export function object(json: unknown, where: string): Json {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json;
  throw bad(`${where} is ${show(json)}, expected an object.`);
}

export function list(json: unknown, where: string): unknown[] {
  if (Array.isArray(json)) return json;
  throw bad(`${where} is ${show(json)}, expected a list.`);
}

export function string(json: unknown, where: string): string {
  if (typeof json === 'string') return json;
  throw bad(`${where} is ${show(json)}, expected a text.`);
}

/** The error for a field that has not one of the values that are understood. */
export function refuse(where: string, found: unknown, expected: string): VitrineError {
  return new VitrineError('unsupported-checkpoint', `${where} is ${show(found)}, expected ${expected}.`);
}

export function check(where: string, found: unknown, ...understood: unknown[]): void {
  if (!understood.includes(found)) throw refuse(where, found, understood.map(show).join(' or '));
}
