import { badOption } from '../plan/error.ts';

export type Truncation = 'longest_first' | 'only_first' | 'only_second';

export interface InputsOptions {
  /** A second text, of which the model is told apart from the first. */
  pair?: string;
  /** The most ids, those around the texts included; whatever is beyond is cut off at the end. */
  maxLength?: number;
  /** From which of two texts: the longer one (default) until both fit, or always the same. */
  truncation?: Truncation;
}

export interface EncodeOptions extends InputsOptions {
  /** Adds the tokens that the model expects around a text, and reads those that are written in it. */
  special?: boolean;
}

export interface DecodeOptions {
  /** `false` leaves special tokens out; by default they are shown. */
  special?: boolean;
  /** Takes the spaces before `.`, `?`, `'s` and their like out; by default as the checkpoint's files say. */
  cleanup?: boolean;
  /** The ids go on with a text: a space before the first of them stays. */
  within?: boolean;
}

/** What a model reads, one entry an id. */
export interface TokenizerInputs {
  ids: number[];
  /** Of which kind of text each id is (`token_type_ids`), as the checkpoint's files say. */
  types: number[];
  /** The part [start, end) of its text that each id stands for, in UTF-16 units; [0, 0] for those put around it. */
  offsets: [start: number, end: number][];
  /** Of which text each id is, 0 the first and 1 the second; null for those put around them. */
  sequence: (0 | 1 | null)[];
  /** Which of its text's words each id is of, as the vocabulary cuts them; null for those put around. */
  words: (number | null)[];
}

/** All that `inputs` gives: whoever takes ids takes it as it is. */
export const inputsFields: readonly string[] = ['ids', 'types', 'offsets', 'sequence', 'words'];

const isFlag = (value: unknown) => typeof value === 'boolean';
const flag = [isFlag, 'true or false'] as const;

/** Options of a call: whether a value will do, and what would. */
type Expected = Record<string, readonly [accepts: (value: unknown) => boolean, expected: string]>;

const inputs: Expected = {
  pair: [(value) => typeof value === 'string', 'a string'],
  maxLength: [(value) => Number.isInteger(value) && (value as number) >= 0, 'a whole number'],
  truncation: [
    (value) => ['longest_first', 'only_first', 'only_second'].includes(value as string),
    "'longest_first', 'only_first' or 'only_second'",
  ],
};
const calls = {
  encode: { special: flag, ...inputs },
  inputs,
  decode: { special: flag, cleanup: flag, within: flag },
} satisfies Record<string, Expected>;

export function checkEncode(call: 'encode' | 'inputs', text: unknown, options: object): void {
  if (typeof text !== 'string') throw badOption(`${call} expects a string, found ${typeof text}.`);
  checkOptions(call, options);
}

export function checkIds(ids: unknown): void {
  if (typeof ids === 'object' && Number.isInteger((ids as ArrayLike<number> | null)?.length)) return;
  throw badOption(`There is no list of token ids to decode, but ${String(ids)}.`);
}

export function checkOptions(call: keyof typeof calls, options: object): void {
  if (typeof options !== 'object' || !options || Array.isArray(options))
    throw badOption(`${call}'s options are no object.`);
  const expected: Expected = calls[call];
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined && Object.hasOwn(expected, key)) continue;
    const [accepts, what] = (Object.hasOwn(expected, key) && expected[key]) || [() => false, ''];
    if (accepts(value)) continue;
    const reason = what ? `expects ${what}, found ${String(value)}` : 'is unknown';
    const known = Object.keys(expected).map((name) => `'${name}'`);
    throw badOption(`Option '${key}' of ${call} ${reason}.`, `${call} takes ${known.join(', ')}.`);
  }
}
