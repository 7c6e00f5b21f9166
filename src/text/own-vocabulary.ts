import type { TokenizerFiles } from '../load/checkpoint.ts';
import { badCheckpoint, VitrineError, why } from '../plan/error.ts';
import { buildVocabulary } from './build.ts';
import { describe } from './files.ts';
import type { Vocabulary } from './tokenizer.ts';

/** The vocabulary of a checkpoint's own files; null if there are none. It is a chunk of its own. */
export async function readVocabulary(files: TokenizerFiles, vocabSize: number): Promise<Vocabulary | null> {
  try {
    const described = await describe(files, vocabSize);
    if (described === null) return null;
    const vocabulary = await buildVocabulary(described, vocabSize);
    if (!described.target) return vocabulary;
    return { ...vocabulary, target: await buildVocabulary({ ...described, ...described.target }, vocabSize) };
  } catch (cause) {
    if (cause instanceof VitrineError) throw cause;
    // Such as a normalizer in a normalizer in a normalizer, deeper than the stack.
    throw badCheckpoint(`The tokenizer's files cannot be read: ${why(cause)}.`, undefined, cause);
  }
}
