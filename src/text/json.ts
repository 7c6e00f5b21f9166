import { isObject, parseJson } from '../load/files.ts';
import { badCheckpoint, unsupportedCheckpoint } from '../plan/error.ts';
import { show } from '../plan/show.ts';

export type Json = Record<string, unknown>;

export const bad = (message: string) => badCheckpoint(message);

export function object(json: unknown, where: string): Json {
  if (isObject(json)) return json;
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

/** What a file says; nothing where it is missing. */
export const readObject = (text: string | undefined, file: string): Json =>
  text === undefined ? {} : object(parseJson(text, file), file);

/** The error for a field that has not one of the values that are understood. */
export const refuse = (where: string, found: unknown, expected: string) =>
  unsupportedCheckpoint(`${where} is ${show(found)}, expected ${expected}.`);

export function check(where: string, found: unknown, ...understood: unknown[]): void {
  if (!understood.includes(found)) throw refuse(where, found, understood.map(show).join(' or '));
}
