import { part } from '../plan/part.ts';
import { eachCharacter } from './aligned.ts';
import { binaryOfBytes, binaryOfLetters, binaryOfText, lettersOfBinary } from './bytes.ts';
import { type Cuts, mergePairs, put, whole } from './merge.ts';
import { endOfText, type Vocabulary } from './tokenizer.ts';
import { fetchVocabulary } from './vocabulary.ts';

/** Size of GPT-2's own vocabulary: 256 bytes, 50,000 merges and `<|endoftext|>`. */
export const gpt2VocabSize = 50257;

/**
 * How GPT-2 cuts text into pieces (openai/gpt-2, src/encoder.py). Its `\s` is Unicode's White_Space; JavaScript's `\s`
 * has U+FEFF besides and lacks U+0085.
 */
export const gpt2Pattern = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  .replaceAll('\\s', '\\p{White_Space}')
  .replaceAll('\\S', '\\P{White_Space}');

/** GPT-2's own vocabulary, OpenAI's r50k_base. Its table is a chunk of its own, fetched when first asked for. */
export async function gpt2Vocabulary(): Promise<Vocabulary & { pieces: readonly string[] }> {
  const { default: table } = await part("GPT-2's vocabulary", fetchVocabulary);
  const pieces = table.map((piece) => (typeof piece === 'string' ? binaryOfText(piece) : binaryOfBytes(piece)));
  const ranks = new Map(pieces.map((piece, id) => [piece, id]));
  const end = pieces.length;
  const pattern = new RegExp(gpt2Pattern, 'gu');
  // Only the library's table is used: its encoder has JavaScript's \s and is quadratic in long pieces.
  const words = (text: string, at: number, cuts: Cuts) => {
    for (const match of text.matchAll(pattern)) {
      const bytes = binaryOfText(match[0]);
      const known = ranks.get(bytes);
      const { ids, starts, ends } = known === undefined ? mergePairs(bytes, ranks) : whole(known, bytes.length);
      const placeOf = placesOf(match[0], bytes.length);
      const begins = at + match.index;
      for (let i = 0; i < ids.length; i++) {
        put(cuts, ids[i]!, begins + placeOf(starts[i]!)[0], begins + placeOf(ends[i]! - 1)[1]);
      }
    }
  };
  const cut = (text: string, special: boolean): Cuts => {
    const cuts: Cuts = { ids: [], starts: [], ends: [] };
    let at = 0;
    for (const [i, section] of (special ? text.split(endOfText) : [text]).entries()) {
      if (i > 0) put(cuts, end, at - endOfText.length, at);
      words(section, at, cuts);
      at += section.length + endOfText.length;
    }
    return cuts;
  };
  return {
    pieces: [...pieces, endOfText],
    specials: new Map([[endOfText, end]]),
    spelling: (id) => (id === end ? endOfText : pieces[id] && lettersOfBinary(pieces[id])),
    read: binaryOfLetters,
    cut,
    roles: { bos: end, eos: end, unk: end },
  };
}

/** Where the character stands that the byte at `i` is of. */
function placesOf(text: string, bytes: number): (i: number) => [start: number, end: number] {
  if (bytes === text.length) return (i) => [i, i + 1];
  const places: [number, number][] = [];
  eachCharacter(text, (character, at) => {
    for (let i = binaryOfText(character).length; i > 0; i--) places.push([at, at + character.length]);
  });
  return (i) => places[i]!;
}
