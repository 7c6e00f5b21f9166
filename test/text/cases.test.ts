import { beforeAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';

interface Case {
  category: string;
  text: string;
  ids: number[];
  ids_with_special?: number[];
}
interface StreamingCase {
  note: string;
  ids: number[];
  deltas: string[];
  flush: string;
}
interface TinyCase {
  text: string;
  ids: number[];
}

const { cases, streaming, tiny } = await readFixtureJson<{
  cases: Case[];
  streaming: StreamingCase[];
  tiny: TinyCase[];
}>('tokenizer.json');
const readText = async (path: string) => new TextDecoder().decode(await readFixture(path));

describe(`GPT-2's own vocabulary`, () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer({}, 50257);
  });

  test('gives the ids that OpenAI gives, and the text back', () => {
    expect(cases).toHaveLength(150);
    for (const { text, ids, ids_with_special } of cases) {
      expect(tokenizer.encode(text), text).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(text);
      const withSpecial = tokenizer.encode(text, { special: true });
      expect(withSpecial, text).toEqual(ids_with_special ?? ids);
      expect(tokenizer.decode(withSpecial)).toBe(text);
    }
    expect(cases.filter(({ ids_with_special }) => ids_with_special?.includes(50256)).length).toBeGreaterThan(0);
  });

  test('streams whole characters', () => {
    expect(streaming).toHaveLength(14);
    const stream = tokenizer.stream();
    for (const { note, ids, deltas, flush } of streaming) {
      expect(ids.map(stream.push), note).toEqual(deltas);
      expect(stream.flush(), note).toBe(flush);
    }
  });

  test('knows contractions in small letters alone', () => {
    expect(tokenizer.encode("it's")).toEqual([270, 338]);
    expect(tokenizer.encode("IT'S")).toEqual([2043, 6, 50]);
  });

  test('takes white space for what Unicode takes it for', () => {
    // U+FEFF is none, so a space before it joins it; U+0085 is. Ids by tiktoken 0.14; JavaScript's \s gives others.
    expect(tokenizer.encode(' \uFEFF!')).toEqual([27332, 119, 123, 0]);
    expect(tokenizer.encode(' \u0085!')).toEqual([220, 126, 227, 0]);
    expect(tokenizer.encode('\n\n\uFEFF')).toEqual([198, 198, 171, 119, 123]);
    expect(tokenizer.encode('\n\n\u0085')).toEqual([628, 126, 227]);
    for (const text of ['\uFEFF', '\uFEFF\uFEFFa', 'a\uFEFF', '\uFEFF\r\n']) {
      const ids = tokenizer.encode(text);
      const stream = tokenizer.stream();
      expect(tokenizer.decode(ids)).toBe(text);
      expect(ids.map(stream.push).join('') + stream.flush()).toBe(text);
    }
  });
});

describe('a vocabulary of its own', () => {
  test.each(['tokenizer.json', 'vocab.json and merges.txt'])('in %s', async (files) => {
    const tokenizer = await loadTokenizer(
      files === 'tokenizer.json'
        ? { tokenizerJson: await readText('tiny-gpt2/tokenizer.json') }
        : { vocab: await readText('tiny-gpt2/vocab.json'), merges: await readText('tiny-gpt2/merges.txt') },
      1000,
    );
    expect(tiny).toHaveLength(50);
    for (const { text, ids } of tiny) {
      expect(tokenizer.encode(text), text).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(text);
    }
    for (const { text } of cases) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.eosId).toBe(999);
    expect(tokenizer.encode('<|endoftext|>a<|endoftext|>', { special: true })).toEqual([
      999,
      ...tokenizer.encode('a'),
      999,
    ]);
    expect(tokenizer.encode('<|endoftext|>')).not.toContain(999);
  });
});
