import type { TokenizerFiles } from '../load/checkpoint.ts';
import { byteLevelVocabulary } from './byte-level.ts';
import { binaryOfLetters } from './bytes.ts';
import { readVocabularyFiles, type VocabularyFiles } from './files.ts';
import { gpt2VocabSize, gpt2Vocabulary } from './gpt2.ts';
import { endOfText, type Tokenizer, tokenizerOf, tokenizerWithoutText, type Vocabulary } from './tokenizer.ts';

/**
 * The tokenizer of a checkpoint whose embedding has `vocabSize` rows: that of its files; without files, GPT-2's own if
 * the size is GPT-2's, else one that shows ids and refuses text. Throws `bad-checkpoint` for broken files,
 * `unsupported-checkpoint` for anything but a byte-level BPE, `network` if a part of Vitrine cannot be fetched.
 */
export async function loadTokenizer(files: TokenizerFiles, vocabSize: number): Promise<Tokenizer> {
  const own = readVocabularyFiles(files, vocabSize);
  if (own === null && vocabSize !== gpt2VocabSize) return tokenizerWithoutText(vocabSize);
  if (own === null || looksLikeGpt2(own)) {
    const gpt2 = await gpt2Vocabulary();
    if (own === null || equalsGpt2(own, gpt2)) return tokenizerOf(gpt2, vocabSize);
  }
  return tokenizerOf(await byteLevelVocabulary(own), vocabSize);
}

/** Asked first, so that another vocabulary does not fetch GPT-2's table. */
function looksLikeGpt2({ vocab, merges, specials, added, normalizer, preTokenizer }: VocabularyFiles): boolean {
  const plain = normalizer === null && specials.size === 1 && added.length === 0;
  const { type, add_prefix_space, use_regex } = preTokenizer;
  const cutsAlike = type === 'ByteLevel' && !add_prefix_space && use_regex !== false;
  return plain && cutsAlike && merges.length === gpt2VocabSize - 257 && vocab[endOfText] === gpt2VocabSize - 1;
}

function equalsGpt2({ merges, pieces }: VocabularyFiles, gpt2: Vocabulary): boolean {
  const samePieces = pieces.length === gpt2VocabSize && gpt2.pieces.every((piece, id) => pieces[id] === piece);
  return samePieces && merges.every((pair, i) => binaryOfLetters(pair.join('')) === gpt2.pieces[256 + i]);
}
