import { beforeAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { cpuClock } from '../cpu-clock.ts';
import { readFixture } from '../fixtures.ts';
import { isFull } from '../full.ts';

const read = async (path: string) => new TextDecoder().decode(await readFixture(`families/${path}`));

/** Of 100 KB; of a quarter of it but in test:full. */
const size = isFull ? 1 : 1 / 4;
const repeated = (text: string, count: number) => text.repeat(count * size);

const texts: [string, string][] = [
  ['one letter', repeated('a', 100_000)],
  ['words', repeated('the boat again ', 6_700)],
  ['accented letters', repeated('e\u0301', 50_000)],
  ['marks on one letter', `a${repeated('\u0301\u0327', 25_000)}`],
  ['ideographs', repeated('日本語の文章です。', 3_700)],
  ['Thai, which has no spaces', repeated('ภาษาไทยไม่มีช่องว่าง', 1_600)],
  ['Hindi without spaces', repeated('नमस्तेदुनिया', 2_800)],
  ['families of emoji', repeated('👨‍👩‍👧', 5_500)],
  ['spaces before a letter', `x${repeated(' ', 100_000)}x`],
  ['line ends', repeated('\n', 100_000)],
  ['punctuation', repeated('!?.,;', 20_000)],
  ['tokens', repeated('[MASK]<mask></s>', 6_000)],
  ['brackets', repeated('[<', 50_000)],
];

describe.each(['bert-mlm', 'roberta-mlm', 't5-v1.0', 'llama-gqa', 'qwen2'])('%s', (folder) => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer({ tokenizerJson: await read(`${folder}/tokenizer.json`) }, 1000);
  });

  // Some 0.1 s for 100 KB on an idle machine; anything that grows with the square of the length takes minutes.
  test.each(texts)('long texts of %s are done in seconds', (_, text) => {
    const computed = cpuClock();
    const { ids, offsets } = tokenizer.inputs(text);
    const decoded = tokenizer.decode(ids);
    expect(computed()).toBeLessThan(10_000 * size);
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
    expect(computed(), name).toBeLessThan(10_000 * size);
  }
});
