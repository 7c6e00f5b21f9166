import type { Open, Row } from './adapters/adapter.d.ts';

export interface Plan {
  /** Lengths of prompts. */
  prefill: number[];
  /** Lengths of contexts. */
  decode: number[];
  /** Tokens that a decoding time is the mean of. */
  decodeTokens: number;
  repeats: number;
}

/** Milliseconds; by length, one of each run. */
export interface Times {
  about: string;
  load: number;
  firstToken: number;
  prefill: Record<string, number[]>;
  decode: Record<string, number[]>;
  tokens: (number | string)[];
}

/** Tokens with their texts, for prompts to be drawn of. */
export type Words = readonly (readonly [id: number, text: string])[];

export interface MeasureOptions extends Plan {
  words: Words;
  onProgress?: (step: string, ms: number) => void;
}

export function measure(open: Open, row: Row, options: MeasureOptions): Promise<Times>;
