import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load.ts';
import { expectedOfMiniLm, folderOf, isThere, minilm } from './models.ts';

describe.skipIf(!isThere(minilm))('the tokenizer of all-MiniLM-L6-v2', () => {
  const read = (file: string) => readFileSync(folderOf(minilm) + file, 'utf8');

  test.each([
    ['tokenizer.json', () => ({ tokenizerJson: read('tokenizer.json') })],
    ['vocab.txt', () => ({ wordPieces: read('vocab.txt'), config: read('tokenizer_config.json') })],
  ])('by %s, cut at 256 ids', async (_, files) => {
    const tokenizer = await loadTokenizer(files(), 30522);
    const { texts, ids, max_seq_length } = await expectedOfMiniLm();
    for (const [i, text] of texts.entries()) {
      expect(tokenizer.inputs(text, { maxLength: max_seq_length, truncation: 'longest_first' }).ids, text).toEqual(
        ids[i],
      );
    }
  });
});
