import { badOption } from '../plan/error.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { type Check, checkOptions, integer, listOf, quote, refuse } from './check.ts';
import type { EncoderWords } from './encoder-input.ts';
import { cutOf, type Headed, type HeadOptions, headChecks, largest, needHead, softmax } from './heads.ts';

export interface FillOptions extends HeadOptions {
  /** How many words for each mask; 5 by default. */
  topK?: number;
  /** The words that are asked about; of one that the vocabulary has no token for, its first token. */
  targets?: readonly string[];
}

/** A word for a mask. */
export interface Filling {
  /** As the vocabulary spells it: `##ing`, `Ġthe`. */
  token: string;
  id: number;
  /** Its probability. */
  score: number;
  /** The text with it in the mask's place; other masks stay. */
  text: string;
}

/** What `fill` found, with the ids of the text, of which `at` is the mask's place. */
export interface FilledMask {
  ids: readonly number[];
  at: number;
  found: { id: number; score: number }[];
  /** The text around it and another id in its place. */
  textWith(id: number): string;
}

const checks: Record<keyof FillOptions, Check> = {
  topK: integer(1),
  targets: listOf('words, none empty', (word) => typeof word === 'string' && word !== ''),
  ...headChecks,
};

export async function fill(headed: Headed, text: EncoderWords, options: FillOptions = {}): Promise<Filling[][]> {
  checkOptions('fill', options, checks);
  const { tokenizer } = headed.reader;
  const [masks] = await fillAll(headed, [text], options);
  return masks!.map(({ found, textWith }) =>
    found.map(({ id, score }) => ({ token: tokenizer.spelling(id), id, score, text: textWith(id) })),
  );
}

/** The masks of several texts, run together. */
export async function fillAll(
  { config, runs, reader }: Headed,
  texts: readonly EncoderWords[],
  options: FillOptions,
): Promise<FilledMask[][]> {
  needHead(config, 'masked-words');
  const { topK = 5, targets, signal } = options;
  const { tokenizer } = reader;
  const { maskId } = tokenizer;
  if (maskId === null) throw badOption('The tokenizer of this model has no mask.');
  const among = targets && idsOf(targets, tokenizer);
  const read = texts.map((text, i) => reader.words(text, i, cutOf(options, reader)));
  const masksOf = ({ ids }: { ids: readonly number[] }) => [...ids.keys()].filter((at) => ids[at] === maskId);
  for (const [i, text] of read.entries()) {
    if (masksOf(text).length > 0) continue;
    throw badOption(`Input ${i} has no mask; expected ${tokenizer.spelling(maskId)} in it.`);
  }
  return runs.run(read, { capture: [], logitRows: masksOf }, signal, ({ logits }, text) => {
    return masksOf(text).map((at, mask) => {
      const scores = softmax(logits.subarray(mask * config.vocabSize, (mask + 1) * config.vocabSize));
      return {
        ...{ ids: text.ids, at },
        found: largest(scores, topK, among).map((id) => ({ id, score: scores[id]! })),
        textWith: (id) =>
          tokenizer.decode(
            text.ids.map((one, i) => (i === at ? id : one)).filter((_, i) => text.inputs.sequence[i] !== null),
          ),
      };
    });
  });
}

/** The ids of words: of one that is no token of the vocabulary, of its first. */
function idsOf(words: readonly string[], tokenizer: Tokenizer): number[] {
  if (words.length === 0) throw refuse('targets', words, 'words');
  const ids = new Map<string, number>();
  for (let id = tokenizer.vocabSize - 1; id >= 0; id--) ids.set(tokenizer.spelling(id), id);
  const found = words.map((word) => {
    const id = ids.get(word) ?? tokenizer.encode(word)[0];
    if (id === undefined) throw badOption(`targets has ${quote(word)}, which has no token.`);
    return id;
  });
  return [...new Set(found)];
}
