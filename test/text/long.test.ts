import { beforeAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { cpuClock } from '../cpu-clock.ts';
import { readFixture } from '../fixtures.ts';

const read = async (path: string) => new TextDecoder().decode(await readFixture(`families/${path}`));

const texts: [string, string][] = [
  ['one letter', 'a'.repeat(100_000)],
  ['words', 'the boat again '.repeat(6_700)],
  ['accented letters', 'e\u0301'.repeat(50_000)],
  ['marks on one letter', `a${'\u0301\u0327'.repeat(25_000)}`],
  ['ideographs', '日本語の文章です。'.repeat(3_700)],
  ['Thai, which has no spaces', 'ภาษาไทยไม่มีช่องว่าง'.repeat(1_600)],
  ['Hindi without spaces', 'नमस्तेदुनिया'.repeat(2_800)],
  ['families of emoji', '👨‍👩‍👧'.repeat(5_500)],
  ['spaces before a letter', `x${' '.repeat(100_000)}x`],
  ['line ends', '\n'.repeat(100_000)],
  ['punctuation', '!?.,;'.repeat(20_000)],
  ['tokens', '[MASK]<mask></s>'.repeat(6_000)],
  ['brackets', '[<'.repeat(50_000)],
];

describe.each(['bert-mlm', 'roberta-mlm', 't5-v1.0', 'llama-gqa', 'qwen2'])('%s', (folder) => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer({ tokenizerJson: await read(`${folder}/tokenizer.json`) }, 1000);
  });

  // Some 0.1 s each on an idle machine; anything that grows with the square of the length takes minutes.
  test.each(texts)('100 KB of %s are done in seconds', (_, text) => {
    const computed = cpuClock();
    const { ids, offsets } = tokenizer.inputs(text);
    const decoded = tokenizer.decode(ids);
    expect(computed()).toBeLessThan(10_000);
    expect(decoded.length).toBeGreaterThan(0);
    const ends = offsets.flat();
    expect(ends.filter((end) => end < 0 || end > text.length)).toEqual([]);
  });
});

test('SentencePiece itself takes no longer', async () => {
  const sentencePieces = await readFixture('families/t5-v1.0/spiece.model');
  const tokenizer = await loadTokenizer({ sentencePieces, modelType: 't5' }, 1000);
  for (const [name, text] of texts) {
    const computed = cpuClock();
    tokenizer.inputs(text);
    expect(computed(), name).toBeLessThan(10_000);
  }
});
