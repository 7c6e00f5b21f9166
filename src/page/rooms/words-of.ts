import { unhidden } from '../format.ts';

/** A token as the rooms write it: without the mark of a word's beginning, and nothing of it unseen. */
export const writtenToken = (spelling: string): string => unhidden(spelling.replace(/^[▁Ġ]/, ''));

/** A text as words that can be taken away, with what stands between them. */
export interface Words {
  words: string[];
  /** What stands before each word, and behind the last. */
  between: string[];
  /** The text with another word in a place. */
  with(place: number, word: string): string;
}

const word = /[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*/gu;

export function splitWords(text: string): Words {
  const found = [...text.matchAll(word)];
  const between: string[] = [];
  let end = 0;
  for (const { 0: one, index } of found) {
    between.push(text.slice(end, index));
    end = index + one.length;
  }
  between.push(text.slice(end));
  const words = found.map(([one]) => one);
  return {
    words,
    between,
    with: (place, next) => joined({ words: words.map((one, i) => (i === place ? next : one)), between }),
  };
}

/** The text with a mask in place of some words. */
export function maskedText(
  { words, between }: Pick<Words, 'words' | 'between'>,
  gone: ReadonlySet<number>,
  mask: string,
): string {
  return joined({ words: words.map((one, i) => (gone.has(i) ? mask : one)), between });
}

function joined({ words, between }: Pick<Words, 'words' | 'between'>): string {
  return words.map((one, i) => between[i]! + one).join('') + between.at(-1)!;
}
