import { part } from '../plan/part.ts';
import { binaryOfBytes, binaryOfText } from './bytes.ts';
import { mergePairs } from './merge.ts';
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
export async function gpt2Vocabulary(): Promise<Vocabulary> {
  const { default: table } = await part("GPT-2's vocabulary", fetchVocabulary);
  const pieces = table.map((piece) => (typeof piece === 'string' ? binaryOfText(piece) : binaryOfBytes(piece)));
  const ranks = new Map(pieces.map((piece, id) => [piece, id]));
  const specials = new Map([[endOfText, pieces.length]]);
  const pattern = new RegExp(gpt2Pattern, 'gu');
  // Only the library's table is used: its encoder has JavaScript's \s and is quadratic in long pieces.
  const encode = (text: string): number[] => {
    const ids: number[] = [];
    for (const piece of text.match(pattern) ?? []) {
      const bytes = binaryOfText(piece);
      const whole = ranks.get(bytes);
      if (whole !== undefined) ids.push(whole);
      else for (const id of mergePairs(bytes, ranks)) ids.push(id);
    }
    return ids;
  };
  return { pieces: [...pieces, endOfText], specials, encode };
}
