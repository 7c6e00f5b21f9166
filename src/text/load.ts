import type { TokenizerFiles } from '../load/checkpoint.ts';
import { part } from '../plan/part.ts';
import { gpt2VocabSize, gpt2Vocabulary } from './gpt2.ts';
import { type Tokenizer, tokenizerOf, tokenizerWithoutText } from './tokenizer.ts';

/**
 * The tokenizer of a checkpoint whose embedding has `vocabSize` rows: that of its files; without files, GPT-2's own if
 * the size is GPT-2's, else one that shows ids and refuses text. Throws `bad-checkpoint` for broken files,
 * `unsupported-checkpoint` for what would be read otherwise than it is meant, `network` if a part of Vitrine cannot be fetched.
 */
export async function loadTokenizer(files: TokenizerFiles, vocabSize: number): Promise<Tokenizer> {
  if (Object.values(files).some((file) => file !== undefined)) {
    const { readVocabulary } = await part('The reader of tokenizers', () => import('./own-vocabulary.ts'));
    const vocabulary = await readVocabulary(files, vocabSize);
    if (vocabulary !== null) return tokenizerOf(vocabulary, vocabSize);
  }
  return vocabSize === gpt2VocabSize ? tokenizerOf(await gpt2Vocabulary(), vocabSize) : tokenizerWithoutText(vocabSize);
}
