import { VitrineError } from '../plan/error.ts';
import { bytesOfBinary } from './bytes.ts';

export interface Tokenizer {
  /** Ids run from 0 to vocabSize - 1, the rows of the model's embedding. */
  readonly vocabSize: number;
  /** Id of `<|endoftext|>`; null for a vocabulary without it. */
  readonly eosId: number | null;
  /**
   * Ids of `text`. Special tokens, `<|endoftext|>` first of all, are plain text unless `special` is set. A lone
   * surrogate is read as U+FFFD, as `TextEncoder` does. Throws `bad-option` for an unknown option, for anything but a
   * string, and for text that the vocabulary cannot spell.
   */
  encode(text: string, options?: { special?: boolean }): number[];
  /** Text of `ids`; bytes that are no UTF-8 become U+FFFD. Throws `bad-option` for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>): string;
  /** What each of `ids` adds to the text; joined, they are `decode` of all. A character comes with its last id. */
  pieces(ids: ArrayLike<number>): string[];
  /** Text of one id, U+FFFD where it is part of a character; empty for an id that the vocabulary leaves unused. */
  token(id: number): string;
  /** UTF-8 bytes of one id. Throws `bad-option` for an id outside the vocabulary. */
  bytes(id: number): Uint8Array;
  stream(): TextStream;
}

/** All that `push` and `flush` return, joined, is `decode` of all the ids; a character shows once it is whole. */
export interface TextStream {
  /** What `id` adds to the text. Throws `bad-option` for an id outside the vocabulary. */
  push(id: number): string;
  /** U+FFFD if the ids ended within a character, else nothing; then the stream begins anew. */
  flush(): string;
}

/** What tokenizers differ in. */
export interface Vocabulary {
  readonly pieces: readonly string[]; // by id, one char per byte; a hole where an id is not used
  readonly specials: ReadonlyMap<string, number>;
  encode(text: string): number[]; // of well-formed text, special tokens as plain text
}

export const endOfText = '<|endoftext|>';

/** The tokenizer of a vocabulary: adds special tokens, decoding and the checks. */
export function tokenizerOf({ pieces, specials, encode }: Vocabulary, vocabSize: number): Tokenizer {
  const longestFirst = [...specials.keys()].sort((a, b) => b.length - a.length);
  const literals = longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const specialPattern = new RegExp(`(${literals.join('|')})`, 'u');

  const pieceOf = (id: number): string => {
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) return pieces[id] ?? '';
    throw new VitrineError('bad-option', `Token id ${String(id)} is outside the vocabulary, 0 to ${vocabSize - 1}.`);
  };
  const decode = (ids: ArrayLike<number>): string => {
    checkIds(ids);
    let binary = '';
    for (let i = 0; i < ids.length; i++) binary += pieceOf(ids[i]!);
    return textDecoder().decode(bytesOfBinary(binary));
  };

  const stream = (): TextStream => {
    const decoder = textDecoder();
    return {
      push: (id) => decoder.decode(bytesOfBinary(pieceOf(id)), { stream: true }),
      flush: () => decoder.decode(),
    };
  };

  return {
    vocabSize,
    eosId: specials.get(endOfText) ?? null,
    encode(text, options = {}) {
      checkEncode(text, options);
      const wellFormed = text.replace(/\p{Surrogate}/gu, '\uFFFD');
      const split = options.special && specials.size > 0 ? wellFormed.split(specialPattern) : [wellFormed];
      const ids = split.map((part, i) => (i % 2 === 1 ? [specials.get(part)!] : encode(part)));
      return ids.length === 1 ? ids[0]! : ids.flat();
    },
    decode,
    token: (id) => decode([id]),
    bytes: (id) => bytesOfBinary(pieceOf(id)),
    pieces(ids) {
      checkIds(ids);
      const { push, flush } = stream();
      const texts = Array.from(ids, push);
      if (texts.length > 0) texts[texts.length - 1] += flush();
      return texts;
    },
    stream,
  };
}

/** For a checkpoint without tokenizer files: decoding shows ids, `<7>`, and text is refused. */
export function tokenizerWithoutText(vocabSize: number): Tokenizer {
  const pieces = Array.from({ length: vocabSize }, (_, id) => `<${id}>`);
  const encode = (): never => {
    throw new VitrineError('bad-option', 'This model has no tokenizer to read text.', { hint: 'Pass token ids.' });
  };
  return tokenizerOf({ pieces, specials: new Map(), encode }, vocabSize);
}

/** `TextDecoder` drops a U+FEFF at the beginning unless told not to take it for a byte order mark. */
function textDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}

function checkIds(ids: unknown): void {
  if (typeof ids === 'object' && Number.isInteger((ids as ArrayLike<number> | null)?.length)) return;
  throw new VitrineError('bad-option', `There is no list of token ids to decode, but ${String(ids)}.`);
}

function checkEncode(text: unknown, options: Record<string, unknown>): void {
  if (typeof text !== 'string') throw new VitrineError('bad-option', `encode expects a string, found ${typeof text}.`);
  if (typeof options !== 'object' || !options) throw new VitrineError('bad-option', `encode's options are no object.`);
  for (const [key, value] of Object.entries(options)) {
    if (key === 'special' && (typeof value === 'boolean' || value === undefined)) continue;
    const reason = key === 'special' ? `expects true or false, found ${String(value)}` : `is unknown`;
    throw new VitrineError('bad-option', `Option '${key}' of encode ${reason}.`, { hint: `encode takes 'special'.` });
  }
}
