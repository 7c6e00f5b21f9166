import { unsupportedCheckpoint } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { type Json, object, refuse } from './json.ts';
import { literally } from './literally.ts';

/** Compiles patterns of a tokenizer's file. */
export type Compile = (pattern: unknown, where: string) => RegExp;

/** What means the same in Oniguruma, which the files are written for, and in JavaScript, once white space is Unicode's. */
const plain =
  /^(?:[^\\^$.()[\]|]|\\[pP]\{(?:\w\w?|White_Space)\}|\\[sSrnt]|\((?!\?[^:!=])|[)|]|\[\^?(?:[^\\[\]&]|\\[pP]\{(?:\w\w?|White_Space)\}|\\[srnt])+\])*$/u;
const possessive = /[*+?}]\+/;

/**
 * Reads `{ String }` and `{ Regex }`. Patterns that JavaScript reads otherwise are rewritten by @huggingface/tokenizers, which is
 * fetched only if `json` has one.
 */
export async function patternsOf(json: unknown): Promise<Compile> {
  const needsLibrary = (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
    return Object.entries(value).some(([name, inner]) =>
      name === 'Regex' && typeof inner === 'string' ? !isPlain(inner) : needsLibrary(inner),
    );
  };
  const library = needsLibrary(json)
    ? await part('The tokenizer library', () => import('@huggingface/tokenizers'))
    : undefined;
  return (value, where) => {
    const pattern = object(value, where) as Json;
    const { String: text, Regex: regex } = pattern;
    if (typeof text === 'string' && text !== '') return new RegExp(literally(text), 'gu');
    if (typeof regex !== 'string' || regex === '') throw refuse(where, value, 'a String or a Regex');
    if (repeatsRepeats(regex))
      throw refuse(where, value, 'a Regex that repeats no repetition, which could take for ever');
    try {
      if (isPlain(regex)) return new RegExp(unicodeSpace(regex), 'gu');
      const split = { type: 'Split' as const, pattern: { Regex: regex }, behavior: 'Isolated' as const, invert: false };
      const compiled = new library!.SplitPreTokenizer(split).pattern;
      if (compiled) return compiled;
    } catch (cause) {
      throw unsupportedCheckpoint(`${where} cannot be read: ${String(cause)}.`, undefined, cause);
    }
    throw refuse(where, value, 'a Regex');
  };
}

const isPlain = (regex: string) => plain.test(regex) && !possessive.test(regex);

const unicodeSpace = (regex: string) =>
  regex.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}');

/** Whether a group that has no bound of length is repeated without bound: such patterns may take exponential time. */
function repeatsRepeats(regex: string): boolean {
  const unbounded = /^(?:[*+]|\{\d*,\})/;
  const groups: boolean[] = [false];
  for (let i = 0; i < regex.length; i++) {
    const letter = regex[i]!;
    if (letter === '\\') i++;
    else if (letter === '[') {
      for (i++; i < regex.length && regex[i] !== ']'; i++) if (regex[i] === '\\') i++;
    } else if (letter === '(') groups.push(false);
    else if (letter === ')') {
      const inner = groups.pop() ?? false;
      const repeated = unbounded.test(regex.slice(i + 1));
      if (inner && repeated) return true;
      if (groups.length > 0 && inner) groups[groups.length - 1] = true;
    } else if (unbounded.test(regex.slice(i))) groups[groups.length - 1] = true;
  }
  return false;
}
