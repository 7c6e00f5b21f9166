import type { fetchVocabulary as fromFile } from '../text/vocabulary.ts';
import { askPage } from './ask-page.ts';

type Vocabulary = Awaited<ReturnType<typeof fromFile>>;

/** The table of GPT-2's vocabulary, from the page: only its bundle has parts that are fetched when they are needed. */
export async function fetchVocabulary(): Promise<Vocabulary> {
  const { result, port } = await askPage({ wants: 'vocabulary' });
  port.close();
  return { default: result as Vocabulary['default'] };
}
