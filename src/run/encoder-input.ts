import { isObject } from '../load/files.ts';
import { bert, type EncoderConfig } from '../model/bert.ts';
import type { SentenceConfig } from '../model/sentence.ts';
import { badOption, VitrineError } from '../plan/error.ts';
import { literally } from '../text/literally.ts';
import { inputsFields, type TokenizerInputs, type Truncation } from '../text/options.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { integer, isList, quote } from './check.ts';
import type { EncoderText } from './encode.ts';

/** A text by its token ids, as a tokenizer's `inputs` gives them. */
export interface EncoderIds {
  ids: ArrayLike<number>;
  /** Which of two texts each id is of; 0 if absent. */
  types?: ArrayLike<number>;
  /** 0 for ids that the model does not see. */
  mask?: ArrayLike<number>;
}

/** A text, or two that the model is told apart. */
export type EncoderWords = string | { text: string; pair?: string };
export type EncoderInput = EncoderWords | EncoderIds;

/** How a text is cut: to so many ids, and of two texts which. Nothing is cut where `maxLength` is absent. */
export interface Cut {
  maxLength?: number | undefined;
  truncation?: Truncation;
}

/** A text by its ids. */
export interface IdsText extends EncoderText {
  ids: readonly number[];
}

/** A text that is read, and what of it each id stands for. */
export interface ReadText extends IdsText {
  inputs: TokenizerInputs;
}

/** Makes of what a caller gives the rows that an encoder runs. */
export class EncoderReader {
  readonly tokenizer: Tokenizer;
  /** The most ids of a text. */
  readonly context: number;
  readonly #config: EncoderConfig;
  readonly #lowercase: ((text: string) => string) | undefined;

  constructor(config: EncoderConfig, context: number, tokenizer: Tokenizer, { lowercase }: SentenceConfig) {
    this.#config = config;
    this.context = context;
    this.tokenizer = tokenizer;
    if (lowercase) this.#lowercase = lowercaser(tokenizer);
  }

  /**
   * @param index of the input among the call's, for messages
   * @throws VitrineError `bad-option`, `context-full`
   */
  read(input: EncoderInput, index: number, cut: Cut = {}): IdsText {
    const isIds = typeof input === 'object' && input !== null && 'ids' in input;
    return isIds ? this.#ofIds(input, index) : this.words(input, index, cut);
  }

  /** `read` for texts alone. */
  words(input: EncoderWords, index: number, { maxLength, truncation }: Cut = {}): ReadText {
    const { text, pair } = (isObject(input) ? input : { text: input }) as { text: string; pair?: string };
    for (const one of [text, pair ?? '']) {
      if (typeof one !== 'string')
        throw bad(index, `is ${quote(one)}`, 'a text, { text, pair } or { ids, types, mask }');
    }
    if (typeof input === 'object') refuseOthers(input, index, ['text', 'pair']);
    const lower = this.#lowercase ?? ((one: string) => one);
    const inputs = this.tokenizer.inputs(lower(text), {
      ...(pair !== undefined && { pair: lower(pair) }),
      ...(maxLength !== undefined && { maxLength: Math.min(maxLength, this.context) }),
      ...(truncation && { truncation }),
    });
    return this.ofInputs(inputs, index);
  }

  /** A text as a tokenizer gives it, whole. */
  ofInputs(inputs: TokenizerInputs, index: number): ReadText {
    const { ids, types } = inputs;
    if (ids.length > this.context) {
      const hint = 'Pass truncation: true to have it cut.';
      throw new VitrineError('context-full', tooLong(index, ids.length, this.context), { hint });
    }
    if (ids.length === 0) throw bad(index, 'has no token', 'a text that is not empty');
    // RoBERTa's and DistilBERT's tokenizers may tell of two texts what these models do not know.
    const knows = this.#config.nSegments > 1;
    const positions = bert.positions!(ids, this.#config);
    const rows = ids.map((token, at) => ({ token, at, position: positions[at]!, segment: knows ? types[at]! : 0 }));
    return { ids, length: ids.length, rows, inputs };
  }

  #ofIds(input: EncoderIds, index: number): IdsText {
    refuseOthers(input, index, ['ids', 'types', 'mask'], inputsFields);
    const { ids, types = [], mask = [] } = input;
    const { vocabSize, nSegments } = this.#config;
    const list = (name: string, given: unknown, most: number): number[] => {
      const numbers = isList(given) ? Array.from(given as ArrayLike<number>) : undefined;
      const wrong = numbers?.find((one) => !integer(0, most).accepts(one));
      if (!numbers || wrong !== undefined) {
        throw bad(index, `has the ${name} ${quote(wrong ?? given)}`, `integers from 0 to ${most}`);
      }
      if (name !== 'ids' && numbers.length > 0 && numbers.length !== ids.length) {
        throw bad(index, `has ${numbers.length} ${name} for ${ids.length} ids`, 'as many');
      }
      return numbers;
    };
    const tokens = list('ids', ids, vocabSize - 1);
    const segments = list('types', types, Math.max(0, nSegments - 1));
    const kept = list('mask', mask, 1);
    if (tokens.length > this.context) {
      const hint = 'Ids are run as they are: cut them, or pass the text and truncation: true.';
      throw new VitrineError('context-full', tooLong(index, tokens.length, this.context), { hint });
    }
    const positions = bert.positions!(tokens, this.#config);
    const rows = tokens.flatMap((token, at) =>
      (kept[at] ?? 1) === 0 ? [] : [{ token, position: positions[at]!, segment: segments[at] ?? 0, at }],
    );
    if (rows.length === 0) throw bad(index, 'has no id that its mask keeps', 'at least one');
    return { ids: tokens, length: tokens.length, rows };
  }
}

const bad = (index: number, found: string, expected: string) =>
  badOption(`Input ${index} ${found}; expected ${expected}.`);

/** A mask beside a text, or a text beside ids, would be left out unsaid. */
function refuseOthers(input: object, index: number, known: readonly string[], besides: readonly string[] = []): void {
  const other = Object.keys(input).find((key) => !known.includes(key) && !besides.includes(key));
  if (other !== undefined) throw bad(index, `has ${quote(other)} beside ${known[0]}`, `${known.join(', ')} alone`);
}

const tooLong = (index: number, ids: number, context: number) =>
  `Input ${index} has ${ids} ids; the model takes ${context}.`;

/** Lower case for all but special tokens, which are found in a text as they are spelled. */
function lowercaser({ specialIds, spelling }: Tokenizer): (text: string) => string {
  const literals = [...specialIds].map((id) => literally(spelling(id)));
  const parts = new RegExp(`(${literals.join('|') || '$^'})`, 'u');
  const lowered = (part: string, i: number) => (i % 2 === 1 ? part : part.toLowerCase());
  return (text) => text.split(parts).map(lowered).join('');
}
