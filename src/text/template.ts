import { badOption } from '../plan/error.ts';
import type { Cuts } from './merge.ts';
import type { InputsOptions, TokenizerInputs, Truncation } from './options.ts';

/** What a model reads: texts, and the tokens that it expects around them. */
export interface Template {
  single: TemplatePart[];
  pair: TemplatePart[];
  /** White space at either end of a token is no part of its offsets; the space that is put before a text is none. */
  trim: { prefixSpace: boolean } | undefined;
}

/** A text (0 the first, 1 the second) or a token, and the type of its ids. */
export type TemplatePart = { sequence: 0 | 1; type: number } | { id: number; type: number };

/** Texts as they are. */
export const plainTemplate: Template = {
  single: [{ sequence: 0, type: 0 }],
  pair: [
    { sequence: 0, type: 0 },
    { sequence: 1, type: 1 },
  ],
  trim: undefined,
};

/** Puts the texts of a call, cut to what there is room for, into a template. */
export function assemble(
  first: Cuts,
  second: Cuts | undefined,
  { single, pair }: Pick<Template, 'single' | 'pair'>,
  { maxLength, truncation = 'longest_first' }: InputsOptions,
): TokenizerInputs {
  const parts = second ? pair : single;
  const texts = second ? [first, second] : [first];
  const lengths = texts.map(({ ids }) => ids.length);
  if (maxLength !== undefined) {
    const around = parts.filter((part) => 'id' in part).length;
    if (maxLength < around)
      throw badOption(`Option 'maxLength' is ${maxLength}, and the tokens around the text are ${around}.`);
    truncate(lengths, maxLength - around, truncation);
  }
  const made: TokenizerInputs = { ids: [], types: [], offsets: [], sequence: [], words: [] };
  const add = (id: number, type: number, offsets: [number, number], sequence: 0 | 1 | null, word: number | null) => {
    made.ids.push(id);
    made.types.push(type);
    made.offsets.push(offsets);
    made.sequence.push(sequence);
    made.words.push(word);
  };
  for (const part of parts) {
    if ('id' in part) {
      add(part.id, part.type, [0, 0], null, null);
      continue;
    }
    const { ids, starts, ends, words } = texts[part.sequence]!;
    for (let i = 0; i < lengths[part.sequence]!; i++) {
      add(ids[i]!, part.type, [starts[i]!, ends[i]!], part.sequence, words?.[i] ?? i);
    }
  }
  return made;
}

/** Shortens to `room` in all. `longest_first` takes from the longer text until both are equal, then from both. */
function truncate(lengths: number[], room: number, truncation: Truncation): void {
  const [first = 0, second = 0] = lengths;
  const excess = first + second - room;
  if (excess <= 0) return;
  if (room === 0) return void lengths.fill(0);
  if (truncation === 'longest_first' && lengths.length > 1) {
    const shorter = Math.min(first, second, Math.floor(room / 2));
    lengths[0] = first > second ? room - shorter : shorter;
    lengths[1] = room - lengths[0];
    return;
  }
  const i = truncation === 'only_second' ? 1 : 0;
  const length = lengths[i];
  if (length === undefined || length < excess) {
    const found = length === undefined ? 'there is no second text' : `it has ${length}`;
    throw badOption(`Option 'truncation' is '${truncation}', and ${excess} ids of this text are too many: ${found}.`);
  }
  lengths[i] = length - excess;
}
