import type { EncoderConfig } from '../model/bert.ts';
import type { Head } from '../model/family.ts';
import type { SentenceConfig } from '../model/sentence.ts';
import { badOption } from '../plan/error.ts';
import type { Check } from './check.ts';
import { isSignal, oneOf } from './check.ts';
import type { Featured } from './encode.ts';
import type { Cut, EncoderReader } from './encoder-input.ts';
import type { Insides } from './insides.ts';

/** What the methods of an encoder work with. */
export interface Headed extends Featured {
  config: EncoderConfig;
  reader: EncoderReader;
  sentences: SentenceConfig;
  inside: Insides;
}

/** The call of an encoder that gives a function what its methods work with; no user's, hence no name. */
export const using = Symbol('using');

export interface HeadOptions {
  /** Cuts texts that are too long for the model, which else are refused, as ids always are. */
  truncation?: boolean;
  signal?: AbortSignal;
}

export const headChecks: Record<keyof HeadOptions, Check> = { truncation: oneOf(true, false), signal: isSignal };

export const cutOf = ({ truncation }: HeadOptions, { context }: EncoderReader): Cut =>
  truncation ? { maxLength: context } : {};

const inWords: Partial<Record<Head, string>> = {
  'masked-words': 'fill, a head of masked words',
  classes: 'classify, a head of classes',
  'token-classes': 'tag, a head of classes of tokens',
  answers: 'answer, a head of answers',
};

/** @throws VitrineError `bad-option` if the model has another head, or none */
export function needHead({ head }: EncoderConfig, needed: Head): void {
  if (head === needed) return;
  const [call, what] = inWords[needed]!.split(', ');
  const [other, found] = head === undefined ? [undefined, 'no head'] : inWords[head]!.split(', ');
  throw badOption(
    `${call} needs ${what}, and this model has ${found}.`,
    other
      ? `Call ${other}, or load a model that was trained for it.`
      : 'Call embed, run or trace, or load a model that was trained for it.',
  );
}

/** Probabilities of logits, in double precision. */
export function softmax(logits: ArrayLike<number>): Float64Array<ArrayBuffer> {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) most = Math.max(most, logits[i]!);
  const values = Float64Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = values.reduce((a, b) => a + b, 0);
  return values.map((value) => value / sum);
}

/** Indices of the largest values, best first, the lower of equals first. */
export function largest(values: ArrayLike<number>, count: number, among?: readonly number[]): number[] {
  const indices = among ? [...among] : Array.from({ length: values.length }, (_, i) => i);
  return indices.sort((a, b) => values[b]! - values[a]! || a - b).slice(0, count);
}
