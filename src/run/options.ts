import type { Edit } from '../plan/edit.ts';
import { type Check, checkOptions, integer, isList, isSignal, listOf, number, oneOf, quote, refuse } from './check.ts';
import { randomSeed } from './random.ts';

/** The tokens so far: `prompt` as given, `generated` since. */
export interface History {
  prompt: readonly number[];
  generated: readonly number[];
}

/**
 * A function of the caller's on the float32 logits [vocabSize], after Vitrine's own processors and before temperature.
 * It changes them in place, or returns others. -Infinity excludes a token.
 */
export type LogitsProcessor =
  | ((logits: Float32Array, history: History) => Float32Array)
  | ((logits: Float32Array, history: History) => void);

/** How to generate. Meaning and order of the sampling options: docs/sampling.md. */
export interface GenerateOptions {
  /** The most tokens to generate, 64 by default. */
  maxNewTokens?: number;
  /** Bans the end-of-text ids until so many tokens are there. */
  minNewTokens?: number;
  /** 0 (default): always the most likely token. 1: the model's own distribution. */
  temperature?: number;
  /** Draws from the k most likely tokens (and those as likely as the k-th). 0: off. */
  topK?: number;
  /** Draws from the most likely tokens that together reach this probability. 1: off. */
  topP?: number;
  /** Drops tokens less likely than this share of the most likely one's probability. 0: off. */
  minP?: number;
  /** Locally typical sampling (Meister et al. 2022). 1: off. */
  typicalP?: number;
  /** Keskar et al. 2019: logits of tokens that occurred are divided by it, negative ones multiplied. 1: off. */
  repetitionPenalty?: number;
  /** Taken off a token's logit for every time it was generated. */
  frequencyPenalty?: number;
  /** Taken off a token's logit once it was generated. */
  presencePenalty?: number;
  /** No n-gram of this length occurs twice. 0: off. */
  noRepeatNgramSize?: number;
  /** Words, or token sequences, that must not appear. A word is banned in the tokens it has as it is written. */
  badWords?: readonly (string | readonly number[])[];
  /** Added to the logits, by token id. -Infinity excludes a token. */
  logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number>;
  /** The text ends before the first of these. */
  stop?: string | readonly string[];
  /** The id or ids that end a text, null for none; by default the model's. */
  eosTokenId?: number | readonly number[] | null;
  /** Integer from 0 to 2^53 - 1. By default a random one; the completion tells which. */
  seed?: number;
  /** Beams of a beam search; 1 (default): none. */
  numBeams?: number;
  /** A finished beam scores its log-probability / length ** lengthPenalty; 1 by default. */
  lengthPenalty?: number;
  /** Ends the beam search as soon as numBeams beams are finished. */
  earlyStopping?: boolean;
  /** How many completions: samples of their own, or the best beams. 1 by default. */
  numReturnSequences?: number;
  /** How many of the most likely tokens to report with each token. */
  topLogprobs?: number;
  logitsProcessors?: readonly LogitsProcessor[];
  /** At the end of the context: end the text (default), or go on with the newest half of it. */
  onContextFull?: 'stop' | 'slide';
  /**
   * Drafts the next tokens from the text itself and runs them together; the result is the same, sooner where the text
   * repeats itself. `ngram` (3): how many ids must recur; `draft` (8): the most tokens drafted.
   */
  speculate?: { ngram?: number; draft?: number };
  /** Changes to the model's intermediate tensors while it generates. */
  edits?: readonly Edit[];
  signal?: AbortSignal;
}

/** How an encoder-decoder is to write: what an option leaves open is as the checkpoint's files say. */
export interface EncoderDecoderOptions extends Omit<GenerateOptions, 'speculate'> {
  /** The first new token, whatever its probability; null: none is forced. */
  forcedBosTokenId?: number | null;
  /** The last token that `maxNewTokens` allows, or one of a list; null: none is forced. */
  forcedEosTokenId?: number | readonly number[] | null;
  /** What the decoder begins with; null: the token that begins a text. */
  decoderStartTokenId?: number | null;
}

/** Generation options with every default in place. */
export interface Settings
  extends Required<Omit<GenerateOptions, 'badWords' | 'logitBias' | 'stop' | 'eosTokenId' | 'speculate' | 'signal'>> {
  forcedBosTokenId: number | null;
  forcedEosTokenIds: readonly number[];
  /** Ids that never come, and that do not come first. */
  suppressTokens: readonly number[];
  beginSuppressTokens: readonly number[];
  badWords: readonly (readonly number[])[];
  logitBias: ReadonlyMap<number, number>;
  stop: readonly string[];
  eosTokenIds: readonly number[];
  speculate: { ngram: number; draft: number } | undefined;
  signal: AbortSignal | undefined;
}

/** What holds where a call says nothing. */
export type Defaults = Partial<Omit<Settings, 'stop' | 'speculate' | 'signal' | 'edits' | 'logitsProcessors'>>;

/** What options are checked against. */
export interface Scope {
  vocabSize: number;
  /** End-of-text ids where the options name none. */
  eosTokenIds: readonly number[];
  /** Reads a bad word; absent where there is no tokenizer. */
  encode?: (text: string) => number[];
  /** What holds where the options say nothing, as the checkpoint has it. */
  defaults?: Defaults;
  /** The options may be an encoder-decoder's. */
  isEncoderDecoder?: boolean;
}

export const editsCheck = listOf('edits, { name, position?, head?, set | scale | add }', isEdit);

export const generateChecks: Record<keyof GenerateOptions, Check> = {
  maxNewTokens: integer(1),
  minNewTokens: integer(0),
  temperature: number(0),
  topK: integer(0),
  topP: number(0, 1),
  minP: number(0, 1),
  typicalP: number(0, 1, 'above'),
  repetitionPenalty: number(0, Number.MAX_VALUE, 'above'),
  frequencyPenalty: number(-Number.MAX_VALUE),
  presencePenalty: number(-Number.MAX_VALUE),
  noRepeatNgramSize: integer(0),
  badWords: listOf('strings and lists of token ids, none empty', isBadWord),
  logitBias: {
    expects: 'an object or Map of token id -> number',
    accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  },
  stop: {
    expects: 'a string or a list of strings, none empty',
    accepts: (value) => (Array.isArray(value) ? value.every(isText) : isText(value)),
  },
  eosTokenId: {
    expects: 'a token id, a list of them, or null',
    accepts: (value) => value === null || (Array.isArray(value) ? value : [value]).every(Number.isInteger),
  },
  seed: integer(0),
  numBeams: integer(1),
  lengthPenalty: number(-Number.MAX_VALUE),
  earlyStopping: oneOf(true, false),
  numReturnSequences: integer(1),
  topLogprobs: integer(0),
  logitsProcessors: listOf('functions', (item) => typeof item === 'function'),
  onContextFull: oneOf('stop', 'slide'),
  speculate: { expects: '{ ngram?, draft? }, integers from 1', accepts: isSpeculation },
  edits: editsCheck,
  signal: isSignal,
};

export const tokenIdOrNull: Check = {
  expects: 'a token id or null',
  accepts: (value) => value === null || Number.isInteger(value),
};

/** Of an encoder-decoder, beside the others; drafts are made from a text's own words, which a target has too few of. */
const encoderDecoderChecks: Record<string, Check> = {
  ...generateChecks,
  forcedBosTokenId: tokenIdOrNull,
  forcedEosTokenId: generateChecks.eosTokenId,
  decoderStartTokenId: tokenIdOrNull,
  speculate: { expects: 'nothing: an encoder-decoder does not draft', accepts: () => false },
};

function isSpeculation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const fits = ([key, count]: [string, unknown]) => ['ngram', 'draft'].includes(key) && integer(1).accepts(count);
  return Object.entries(value).every(fits);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isBadWord(value: unknown): boolean {
  return isText(value) || (Array.isArray(value) && value.length > 0 && value.every(Number.isInteger));
}

function isEdit(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const known = ['name', 'position', 'head', 'set', 'scale', 'add'];
  const { name, position, head, set, scale, add } = value as Edit;
  const areIndices = (given: unknown) => given === undefined || [given].flat().every(Number.isInteger);
  const areNumbers = (given: unknown) =>
    given === undefined || typeof given === 'number' || (isList(given) && Array.from(given).every(isNumber));
  return (
    typeof name === 'string' &&
    [position, head].every(areIndices) &&
    [set, scale, add].every(areNumbers) &&
    Object.keys(value).every((key) => known.includes(key))
  );
}

const isNumber = (value: unknown): boolean => typeof value === 'number';

/**
 * Checks generation options and fills in the defaults.
 * @throws VitrineError `bad-option`, naming the option, what was found and what is expected
 */
export function readGenerateOptions(options: GenerateOptions & EncoderDecoderOptions, scope: Scope): Settings {
  checkOptions('generate', options, scope.isEncoderDecoder ? encoderDecoderChecks : generateChecks);
  const { badWords, logitBias = {}, stop = [], eosTokenId, speculate, signal, ...rest } = options;
  const { forcedBosTokenId, forcedEosTokenId, decoderStartTokenId: _, ...plain } = rest;
  const standing = besides(options, scope.defaults ?? {});
  const { badWords: badIds = [], eosTokenIds = scope.eosTokenIds, ...defaults } = standing;
  const settings: Settings = {
    ...{ maxNewTokens: 64, minNewTokens: 0, onContextFull: 'stop', edits: [], topLogprobs: 0 },
    ...{ temperature: 0, topK: 0, topP: 1, minP: 0, typicalP: 1 },
    ...{ repetitionPenalty: 1, frequencyPenalty: 0, presencePenalty: 0, noRepeatNgramSize: 0, logitsProcessors: [] },
    ...{ numBeams: 1, lengthPenalty: 1, earlyStopping: false, numReturnSequences: 1 },
    ...{ forcedBosTokenId: null, forcedEosTokenIds: [], suppressTokens: [], beginSuppressTokens: [] },
    ...defaults,
    ...withoutUndefined(plain),
    ...(forcedBosTokenId !== undefined && { forcedBosTokenId }),
    ...(forcedEosTokenId !== undefined && { forcedEosTokenIds: idsOf(forcedEosTokenId) }),
    seed: plain.seed ?? randomSeed(),
    stop: typeof stop === 'string' ? [stop] : [...stop],
    badWords: badWords?.map((word) => readBadWord(word, scope)) ?? badIds,
    logitBias: readLogitBias(logitBias, scope),
    eosTokenIds: eosTokenId === undefined ? eosTokenIds : idsOf(eosTokenId),
    speculate: speculate && { ngram: 3, draft: 8, ...speculate },
    signal,
  };
  for (const id of settings.eosTokenIds) checkId('eosTokenId', id, scope);
  for (const id of settings.forcedEosTokenIds) checkId('forcedEosTokenId', id, scope);
  if (settings.forcedBosTokenId !== null) checkId('forcedBosTokenId', settings.forcedBosTokenId, scope);
  checkTogether(settings, scope);
  return settings;
}

/** The defaults without what a call's own options leave no room for: of two that cannot both hold, the caller's does. */
function besides(options: GenerateOptions, defaults: Defaults): Defaults {
  const left = { ...defaults };
  const { temperature = 0, stop = [], onContextFull, speculate, numReturnSequences = 1, maxNewTokens } = options;
  const drawsOrStops = temperature > 0 || stop.length > 0 || onContextFull === 'slide' || speculate !== undefined;
  if (options.numBeams === undefined && drawsOrStops) delete left.numBeams;
  if ((options.numBeams ?? left.numBeams ?? 1) > 1) {
    if (options.numBeams !== undefined) delete left.temperature; // else the files ask for beams that draw, which are refused
  } else {
    delete left.lengthPenalty;
    delete left.earlyStopping;
    if ((options.temperature ?? left.temperature ?? 0) === 0) delete left.numReturnSequences;
  }
  const beams = options.numBeams ?? left.numBeams ?? 1;
  if (beams > 1 && (left.numReturnSequences ?? 1) > beams) delete left.numReturnSequences;
  if (onContextFull === 'slide' || speculate !== undefined) delete left.numReturnSequences;
  if (numReturnSequences > 1 && options.numBeams === undefined && (left.numBeams ?? 1) < numReturnSequences) {
    delete left.numBeams;
  }
  if (maxNewTokens !== undefined) left.minNewTokens = Math.min(left.minNewTokens ?? 0, maxNewTokens);
  if (options.minNewTokens !== undefined && left.maxNewTokens !== undefined) {
    left.maxNewTokens = Math.max(left.maxNewTokens, options.minNewTokens);
  }
  return left;
}

const idsOf = (given: number | readonly number[] | null): number[] => (given === null ? [] : [given].flat());

function withoutUndefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function readBadWord(word: string | readonly number[], scope: Scope): readonly number[] {
  if (typeof word !== 'string') {
    for (const id of word) checkId('badWords', id, scope);
    return [...word];
  }
  if (!scope.encode) throw refuse('badWords', word, 'token ids: without a model there is no tokenizer to read words');
  return scope.encode(word);
}

function readLogitBias(given: NonNullable<GenerateOptions['logitBias']>, scope: Scope): Map<number, number> {
  const entries: [unknown, unknown][] = given instanceof Map ? [...given] : Object.entries(given);
  return new Map(
    entries.map(([key, bias]) => {
      const id = typeof key === 'string' && /^\d+$/.test(key) ? Number(key) : key;
      if (!Number.isInteger(id)) throw refuse('logitBias', key, 'token ids as keys');
      checkId('logitBias', id as number, scope);
      if (typeof bias !== 'number' || Number.isNaN(bias) || bias === Number.POSITIVE_INFINITY) {
        throw refuse('logitBias', bias, `a finite number or -Infinity for id ${id}`);
      }
      return [id as number, bias];
    }),
  );
}

export function checkId(option: string, id: number, { vocabSize }: Scope): void {
  if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
    throw refuse(option, id, `token ids, integers from 0 to ${vocabSize - 1}`);
  }
}

/** Refuses combinations that cannot be honoured. */
function checkTogether(s: Settings, { vocabSize }: Scope): void {
  if (s.minNewTokens > s.maxNewTokens)
    throw refuse('minNewTokens', s.minNewTokens, `at most maxNewTokens, ${s.maxNewTokens}`);
  if (s.topLogprobs > vocabSize)
    throw refuse('topLogprobs', s.topLogprobs, `at most the vocabulary's size, ${vocabSize}`);
  const together = s.numBeams > 1 || s.numReturnSequences > 1;
  if (together && s.onContextFull === 'slide') {
    throw refuse('onContextFull', 'slide', "'stop' with numBeams or numReturnSequences above 1");
  }
  if (s.speculate && (together || s.onContextFull === 'slide')) {
    throw refuse('speculate', s.speculate, "nothing with numBeams, numReturnSequences or onContextFull: 'slide'");
  }
  if (s.edits.length > 0 && s.onContextFull === 'slide') {
    throw refuse('onContextFull', 'slide', "'stop' with edits, whose positions would move");
  }
  if (s.numBeams > 1) {
    if (s.temperature > 0) throw refuse('temperature', s.temperature, '0 with numBeams: a beam search does not draw');
    if (s.stop.length > 0) throw refuse('stop', s.stop, 'nothing with numBeams: beams end at eosTokenId only');
    if (s.numReturnSequences > s.numBeams) {
      throw refuse('numReturnSequences', s.numReturnSequences, `at most numBeams, ${s.numBeams}`);
    }
    return;
  }
  if (s.lengthPenalty !== 1) throw refuse('lengthPenalty', s.lengthPenalty, 'numBeams above 1 beside it');
  if (s.earlyStopping) throw refuse('earlyStopping', true, 'numBeams above 1 beside it');
  if (s.numReturnSequences > 1 && s.temperature === 0) {
    const expected = `a temperature above 0 or numBeams beside it: greedy completions would all be the same (${quote(s.temperature)})`;
    throw refuse('numReturnSequences', s.numReturnSequences, expected);
  }
}
