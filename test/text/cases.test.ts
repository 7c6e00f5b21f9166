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
    // U+FEFF is none, so it joins what it touches; U+0085 is, so the last of a run stays with nothing.
    expect(tokenizer.encode('!\uFEFF!')).toEqual([0, 171, 119, 123, 0]);
    expect(tokenizer.encode('\uFEFF!')).toEqual([171, 119, 123, 0]);
    expect(tokenizer.encode('a\u0085\u0085b')).toEqual([...'a\u0085\u0085b'].flatMap((c) => tokenizer.encode(c)));
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
