import type { Tokenizer } from './tokenizer.ts';

/**
 * Whether an id goes on with the word before it, as transformers' TokenClassificationPipeline decides: by the prefix of pieces within
 * a word where the vocabulary has one, else by whether white space is at, or before, its beginning. An unknown word is never a part.
 * @param text the original one; `offsets` are of the id in it
 */
export function isSubword(
  { spelling, subwordPrefix, unkId }: Pick<Tokenizer, 'spelling' | 'subwordPrefix' | 'unkId'>,
  text: string,
  id: number,
  [start, end]: readonly [start: number, end: number],
): boolean {
  if (id === unkId) return false;
  if (subwordPrefix !== null) return characters(spelling(id)) !== characters(text.slice(start, end));
  return start > 0 && !text.slice(start - 1, start + 1).includes(' ');
}

const characters = (text: string): number => Array.from(text).length;
