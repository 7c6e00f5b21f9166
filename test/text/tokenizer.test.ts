import { encode as libraryEncode } from 'gpt-tokenizer/encoding/r50k_base';
import { describe, expect, test } from 'vitest';
import { bytesOfBinary } from '../../src/text/bytes.ts';
import { gpt2Vocabulary } from '../../src/text/gpt2.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { mergePairs } from '../../src/text/merge.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { cpuClock } from '../cpu-clock.ts';
import { readFixture } from '../fixtures.ts';
import { seeded } from '../ops/mini-plan.ts';

const gpt2 = await loadTokenizer({}, 50257);
const tokenizerJson = new TextDecoder().decode(await readFixture('tiny-gpt2/tokenizer.json'));
const tiny = await loadTokenizer({ tokenizerJson }, 1000);
const both: [string, Tokenizer][] = [
  ['gpt2', gpt2],
  ['tiny', tiny],
];

const next = seeded(20260);
const below = (limit: number) => Math.floor(((next() + 1) / 2) * limit);
const text = (length: number, character: () => string) => Array.from({ length }, character).join('');
const characterFrom = (letters: string) => {
  const list = [...letters];
  return () => list[below(list.length)]!;
};
const letter = characterFrom('abcdefghijklmnopqrstuvwxyz');
const ideograph = () => String.fromCodePoint(0x4e00 + below(20000));
const emoji = () => String.fromCodePoint(0x1f600 + below(70));
/** Any Unicode character but a surrogate, those that matter to the splitting often. */
const character = () => {
  const ranges = [0x80, 0x250, 0x3000, 0x10000, 0x110000];
  if (below(4) === 0) return characterFrom(" \n\t'sStTrRlLdD\u0085\uFEFF\u00a0\u2028\u200b\u3000١²\u0301")();
  const code = below(ranges[below(ranges.length)]!);
  return code >= 0xd800 && code < 0xe000 ? 'é' : String.fromCodePoint(code);
};

describe.each(both)('%s', (_, tokenizer) => {
  test('any text comes back', () => {
    for (let i = 0; i < 3000; i++) {
      const sample = text(below(30), character);
      const ids = tokenizer.encode(sample);
      if (tokenizer.decode(ids) !== sample) expect.fail(`${JSON.stringify(sample)} does not come back`);
    }
  });

  test.each([undefined, null, 5, '5', {}])('decoding %o is refused', (ids) => {
    expect(() => tokenizer.decode(ids as number[])).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });

  test('a stream of any ids says what decode says, and that is what TextDecoder says', () => {
    const stream = tokenizer.stream();
    for (let i = 0; i < 2000; i++) {
      // Ids below 256 are single bytes: mostly broken UTF-8.
      const ids = Array.from({ length: below(12) }, () => below(i % 2 ? 256 : tokenizer.vocabSize));
      const bytes = ids.flatMap((id) => [...tokenizer.bytes(id)]);
      const expected = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
      expect(tokenizer.decode(ids)).toBe(expected);
      expect(tokenizer.decode(Uint32Array.from(ids))).toBe(expected);
      expect(ids.map(stream.push).join('') + stream.flush()).toBe(expected);
    }
  });

  const long: [string, string][] = [
    ['one letter', 'a'.repeat(100_000)],
    ['letters', text(100_000, letter)],
    ['ideographs', text(33_334, ideograph)],
    ['emoji', text(25_000, emoji)],
    ['digits', text(100_000, characterFrom('0123456789'))],
    ['punctuation', text(100_000, characterFrom('!?.,;:-'))],
    ['spaces', ' '.repeat(100_000)],
    ['spaces before a letter', `${' '.repeat(100_000)}x`],
    ['line ends', '\n'.repeat(100_000)],
  ];
  // Some 0.1 s each on an idle machine; merging by comparing all with all takes minutes.
  test.each(long)('100 KB of %s are done in seconds', (_, sample) => {
    const computed = cpuClock();
    const ids = tokenizer.encode(sample);
    expect(computed()).toBeLessThan(10_000);
    expect(tokenizer.decode(ids)).toBe(sample);
  });

  test('a lone surrogate is read as U+FFFD', () => {
    for (const lone of ['\ud83d', '\ude00', 'a\ud83d b', '\ude00\ud83d', 'x\ud83d\ud83d\ude00']) {
      expect(tokenizer.decode(tokenizer.encode(lone))).toBe(new TextDecoder().decode(new TextEncoder().encode(lone)));
    }
    expect(tokenizer.encode('a\ud83d b')).toEqual(tokenizer.encode('a\ufffd b'));
  });

  test('the end of a text is a token only where asked for', () => {
    const eos = tokenizer.eosId!;
    expect(tokenizer.token(eos)).toBe('<|endoftext|>');
    expect(tokenizer.encode('a<|endoftext|>b')).not.toContain(eos);
    expect(tokenizer.encode('a<|endoftext|>b', { special: false })).not.toContain(eos);
    const [a, b] = [tokenizer.encode('a'), tokenizer.encode('b')];
    expect(tokenizer.encode('a<|endoftext|>b', { special: true })).toEqual([...a, eos, ...b]);
    expect(tokenizer.encode('<|endoftext|><|endoftext|>', { special: true })).toEqual([eos, eos]);
    expect(tokenizer.encode('<|endoftext', { special: true })).toEqual(tokenizer.encode('<|endoftext'));
    expect(tokenizer.encode('', { special: true })).toEqual([]);
    expect(tokenizer.encode('')).toEqual([]);
  });

  test('what it does not know is refused', () => {
    const refused = (call: () => unknown, message: RegExp) =>
      expect(call).toThrow(expect.objectContaining({ code: 'bad-option', message: expect.stringMatching(message) }));
    const encode = tokenizer.encode as (text: unknown, options?: unknown) => number[];
    refused(() => encode('a', { specials: true }), /'specials'/);
    refused(() => encode('a', { special: 1 }), /'special'.*1/);
    refused(() => encode('a', true), /options/);
    refused(() => encode('a', null), /options/);
    refused(() => encode(7), /string.*number/);
    refused(() => encode(undefined), /string.*undefined/);
    const { vocabSize } = tokenizer;
    for (const id of [vocabSize, -1, 0.5, Number.NaN, 2 ** 40]) {
      refused(() => tokenizer.decode([0, id]), new RegExp(`${String(id)} .*0 to ${vocabSize - 1}`));
      refused(() => tokenizer.token(id), /vocabulary/);
      refused(() => tokenizer.bytes(id), /vocabulary/);
      refused(() => tokenizer.stream().push(id), /vocabulary/);
    }
    refused(() => tokenizer.decode(['1' as unknown as number]), /Token id 1/);
  });
});

describe('merging', () => {
  // The library cannot be asked about U+FEFF and U+0085, which it reads otherwise.
  test('of any piece gives the ids of the library', () => {
    const kinds = [letter, ideograph, emoji, characterFrom('!?.,;:-=#*/'), characterFrom('aàáâāбвгдегоניתعلىの')];
    for (let i = 0; i < 3000; i++) {
      const sample = text(below(i % 10 === 0 ? 300 : 60), kinds[i % kinds.length]!);
      expect(gpt2.encode(sample), sample).toEqual(libraryEncode(sample));
    }
    for (let i = 0; i < 1000; i++) {
      const sample = text(below(40), character).replace(/[\uFEFF\u0085]/g, '~');
      expect(gpt2.encode(sample), sample).toEqual(libraryEncode(sample));
    }
  });

  test('joins the lowest rank first, of equals the leftmost', () => {
    const ranks = new Map([...'abc', 'bc', 'aa', 'ab', 'aaaa', 'aabc'].map((piece, rank) => [piece, rank]));
    const merge = (piece: string) => mergePairs(piece, ranks).ids.map((id) => [...ranks.keys()][id]);
    expect(merge('abc')).toEqual(['a', 'bc']);
    expect(merge('aaa')).toEqual(['aa', 'a']);
    expect(merge('aaab')).toEqual(['aa', 'ab']);
    expect(merge('aaaaa')).toEqual(['aaaa', 'a']);
    expect(merge('aaabc')).toEqual(['aa', 'a', 'bc']);
    expect(merge('aabc')).toEqual(['aabc']);
    expect(merge('c')).toEqual(['c']);
    expect(merge('')).toEqual([]);
  });

  test('makes every piece of the vocabulary of its own bytes', async () => {
    const { pieces } = await gpt2Vocabulary();
    const ranks = new Map(pieces.slice(0, 50256).map((piece, id) => [piece, id]));
    expect(ranks.size).toBe(50256);
    for (const [piece, id] of ranks) {
      if (mergePairs(piece, ranks).ids.join() !== String(id)) expect.fail(`piece ${id}`);
    }
    expect(gpt2.bytes(447)).toEqual(bytesOfBinary(pieces[447]!));
  });
});

describe('without tokenizer files', () => {
  test('ids are shown, text is refused', async () => {
    const tokenizer = await loadTokenizer({}, 3);
    expect(tokenizer).toMatchObject({ vocabSize: 3, eosId: null });
    expect(tokenizer.decode([2, 1, 0])).toBe('<2><1><0>');
    expect(tokenizer.token(1)).toBe('<1>');
    const stream = tokenizer.stream();
    expect([2, 0].map(stream.push)).toEqual(['<2>', '<0>']);
    const refusal = expect.objectContaining({ code: 'bad-option', message: expect.stringContaining('token ids') });
    for (const sample of ['210', '', '<2>']) expect(() => tokenizer.encode(sample)).toThrow(refusal);
    expect(() => tokenizer.decode([3])).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});
