import { badOption } from '../plan/error.ts';
import { binaryOfText, bytesOfBinary } from './bytes.ts';
import { unsettled, withoutSpaces } from './clean-up.ts';
import type { Cuts } from './merge.ts';
import type { DecodeOptions, EncodeOptions, InputsOptions, TokenizerInputs } from './options.ts';
import { checkEncode, checkIds, checkOptions } from './options.ts';
import { assemble, plainTemplate, type Template } from './template.ts';

/** Names of tokens with a meaning of their own. */
export const roles = ['bos', 'eos', 'unk', 'pad', 'cls', 'sep', 'mask'] as const;
export type Role = (typeof roles)[number];

export interface Tokenizer {
  /** Ids run from 0 to vocabSize - 1, the rows of the model's embedding. */
  readonly vocabSize: number;
  /** Id of the token that ends a text, `<|endoftext|>` or `</s>`; null for a vocabulary without one. So are the others. */
  readonly eosId: number | null;
  readonly bosId: number | null;
  readonly unkId: number | null;
  readonly padId: number | null;
  readonly clsId: number | null;
  readonly sepId: number | null;
  readonly maskId: number | null;
  /** Ids of all special tokens: those that stand for no text. */
  readonly specialIds: ReadonlySet<number>;
  /** What begins the spelling of a piece within a word, `##`; null for vocabularies that do not tell. */
  readonly subwordPrefix: string | null;
  /** The tokenizer of what a translation model writes; only where it is another. */
  readonly target?: Tokenizer;
  /**
   * Ids of `text`. Special tokens, `<|endoftext|>` first of all, are plain text unless `special` is set. A lone
   * surrogate is read as U+FFFD, as `TextEncoder` does. Throws `bad-option` for an unknown option, for anything but a
   * string, and for text that the vocabulary cannot spell.
   */
  encode(text: string, options?: EncodeOptions): number[];
  /** What the model reads for `text`: the ids of `encode` with `special`, their types, and where they stand in it. */
  inputs(text: string, options?: InputsOptions): TokenizerInputs;
  /** Text of `ids`; bytes that are no UTF-8 become U+FFFD. Throws `bad-option` for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** What each of `ids` adds to the text; joined, they are `decode` of all. A character comes with its last id. */
  pieces(ids: ArrayLike<number>, options?: DecodeOptions): string[];
  /** Text of one id, U+FFFD where it is part of a character; empty for an id that the vocabulary leaves unused. */
  token(id: number): string;
  /** One id as the vocabulary spells it: `##ing`, `▁the`, `Ġthe`. */
  spelling(id: number): string;
  /** The text of pieces as vocabularies spell them, special tokens and spaces left as they are. */
  join(spellings: readonly string[]): string;
  /** UTF-8 bytes that one id adds within a text. Throws `bad-option` for an id outside the vocabulary. */
  bytes(id: number): Uint8Array;
  stream(options?: DecodeOptions): TextStream;
}

/** All that `push` and `flush` return, joined, is `decode` of all the ids; a character shows once it is whole. */
export interface TextStream {
  /** What `id` adds to the text. Throws `bad-option` for an id outside the vocabulary. */
  push(id: number): string;
  /** What is left, U+FFFD if the ids ended within a character; then the stream begins anew. */
  flush(): string;
}

/** What tokenizers differ in. */
export interface Vocabulary {
  /** How the files spell an id; undefined where an id is not used. */
  spelling(id: number): string | undefined;
  /** The bytes, one a char, that a spelling adds to a text: at its beginning, or within. */
  read(spelling: string, first: boolean): string;
  readonly specials: ReadonlyMap<string, number>;
  /** Ids of well-formed text and where each begins and ends. `special`: special tokens are read. */
  cut(text: string, special: boolean): Cuts;
  readonly template?: Template;
  readonly roles?: Partial<Record<Role, number | null>>;
  /** Spaces that people do not write are taken out by default. */
  readonly cleansUp?: boolean;
  /** They are taken out of each piece, whatever comes before and behind it. */
  readonly cleansPieces?: boolean;
  /** Spaces at either end of a text are taken out. */
  readonly trims?: boolean;
  /** `<0xE2>` is a byte. */
  readonly spellsBytes?: boolean;
  readonly subwordPrefix?: string | null;
  readonly target?: Vocabulary;
}

export const endOfText = '<|endoftext|>';

/** The tokenizer of a vocabulary: adds decoding, what is put around texts, and the checks. */
export function tokenizerOf(vocabulary: Vocabulary, vocabSize: number): Tokenizer {
  const { specials, cut, template = plainTemplate } = vocabulary;
  const target = vocabulary.target && tokenizerOf(vocabulary.target, vocabSize);
  const specialIds = new Set(specials.values());
  const cutsOf = (text: string, special: boolean) => cut(text.replace(/\p{Surrogate}/gu, '\uFFFD'), special);
  const inputs = (text: string, options: InputsOptions, special: boolean) => {
    const second = options.pair === undefined ? undefined : cutsOf(options.pair, special);
    return assemble(cutsOf(text, special), second, special ? template : plainTemplate, options);
  };
  const roleIds = Object.fromEntries(roles.map((role) => [`${role}Id`, vocabulary.roles?.[role] ?? null]));
  return {
    ...(roleIds as Record<`${Role}Id`, number | null>),
    vocabSize,
    specialIds,
    subwordPrefix: vocabulary.subwordPrefix ?? null,
    ...(target && { target }),
    encode(text, options = {}) {
      checkEncode('encode', text, options);
      const { special = false, ...rest } = options;
      if (!special && rest.pair === undefined && rest.maxLength === undefined) return cutsOf(text, false).ids.slice();
      return inputs(text, rest, special).ids;
    },
    inputs(text, options = {}) {
      checkEncode('inputs', text, options);
      return inputs(text, options, true);
    },
    ...decoding(vocabulary, vocabSize, specialIds),
  };
}

/** The half of a tokenizer that makes texts of ids. */
function decoding(
  vocabulary: Vocabulary,
  vocabSize: number,
  specialIds: ReadonlySet<number>,
): Pick<Tokenizer, 'decode' | 'token' | 'spelling' | 'join' | 'bytes' | 'pieces' | 'stream'> {
  const { read, cleansUp = false, trims = false, spellsBytes = false } = vocabulary;
  const isByteOf = (spelling: string | undefined) => spellsBytes && /^<0x[0-9A-Fa-f]{2}>$/.test(spelling ?? '');
  const cleaned = (bytes: string) => (vocabulary.cleansPieces ? withoutSpaces(bytes) : bytes);
  const within: (string | undefined)[] = []; // bytes by id
  const checked = (id: number): number => {
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) return id;
    throw badOption(`Token id ${String(id)} is outside the vocabulary, 0 to ${vocabSize - 1}.`);
  };
  const bytesOf = (id: number, first: boolean): string => {
    const spelling = vocabulary.spelling(checked(id));
    if (spelling === undefined) return '';
    return first ? read(spelling, true) : (within[id] ??= read(spelling, false));
  };
  const stream = (options: DecodeOptions = {}) => {
    checkOptions('decode', options);
    const shown = (id: number) => options.special !== false || !specialIds.has(id);
    const shownBytes = (id: number, first: boolean) => {
      if (!shown(checked(id))) return undefined;
      return options.cleanup === false ? bytesOf(id, first) : cleaned(bytesOf(id, first));
    };
    const isByte = (id: number) => isByteOf(vocabulary.spelling(id));
    const { cleanup = cleansUp, within } = options;
    return textStream({ bytesOf: shownBytes, isByte, cleansUp: cleanup, trims, within });
  };
  const pieces = (ids: ArrayLike<number>, options?: DecodeOptions): string[] => {
    checkIds(ids);
    const { push, flush } = stream(options);
    const texts = Array.from(ids, push);
    if (texts.length > 0) texts[texts.length - 1] += flush();
    return texts;
  };
  const decode = (ids: ArrayLike<number>, options?: DecodeOptions) => pieces(ids, options).join('');
  return {
    decode,
    token: (id) => decode([id]),
    spelling: (id) => vocabulary.spelling(checked(id)) ?? '',
    join(spellings) {
      const { push, flush } = textStream({
        bytesOf: (i, first) => cleaned(read(spellings[i]!, first)),
        isByte: (i) => isByteOf(spellings[i]),
        cleansUp: false,
        trims,
      });
      return Array.from(spellings.keys(), push).join('') + flush();
    },
    bytes: (id) => bytesOfBinary(bytesOf(id, false)),
    pieces,
    stream,
  };
}

interface Pieces {
  /** The bytes that an id adds; undefined for one that is left out. */
  bytesOf(id: number, first: boolean): string | undefined;
  /** Whether it is a byte of a character that the vocabulary has no piece for. */
  isByte(id: number): boolean;
  /** Spaces that people do not write go. */
  cleansUp: boolean;
  /** Spaces at either end go. */
  trims: boolean;
  /** It is no beginning of a text. */
  within?: boolean | undefined;
}

function textStream({ bytesOf, isByte, cleansUp, trims, within = false }: Pieces): TextStream {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // else it drops a U+FEFF at the beginning
  let first = !within;
  let run = ''; // bytes that may become characters
  let waiting = '';
  const settle = (text: string, isLast: boolean): string => {
    waiting += text;
    const spaces = trims ? / *$/.exec(waiting)![0].length : 0;
    const end = waiting.length - Math.max(spaces, cleansUp && !isLast ? unsettled(waiting) : 0);
    const settled = waiting.slice(0, end);
    waiting = isLast ? '' : waiting.slice(end);
    return cleansUp ? withoutSpaces(settled) : settled;
  };
  const endRun = (): string => {
    const bytes = run;
    run = '';
    return bytes === '' ? '' : textOfRun(bytes);
  };
  return {
    push(id) {
      const bytes = bytesOf(id, first);
      if (bytes === undefined) return '';
      first &&= trims && bytes === '';
      if (isByte(id)) {
        run += bytes;
        return '';
      }
      return settle(endRun() + decoder.decode(bytesOfBinary(bytes), { stream: true }), false);
    },
    flush() {
      first = !within;
      return settle(endRun() + decoder.decode(), true);
    },
  };
}

/** Bytes that a vocabulary spells one by one: if they are no UTF-8, each is U+FFFD, as in Hugging Face's own tokenizers. */
function textOfRun(bytes: string): string {
  try {
    return new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(bytesOfBinary(bytes));
  } catch {
    return '\uFFFD'.repeat(bytes.length);
  }
}

/** For a checkpoint without tokenizer files: decoding shows ids, `<7>`, and text is refused. */
export function tokenizerWithoutText(vocabSize: number): Tokenizer {
  const cut = (): never => {
    throw badOption('This model has no tokenizer to read text.', 'Pass token ids.');
  };
  return tokenizerOf({ spelling: (id) => `<${id}>`, read: binaryOfText, specials: new Map(), cut }, vocabSize);
}
