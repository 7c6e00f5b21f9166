import { beforeAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';
import { seeded } from '../ops/mini-plan.ts';

interface Cases {
  cases: { category: string; text: string; ids: number[]; ids_with_special?: number[] }[];
  streaming: { note: string; ids: number[]; deltas: string[]; flush: string }[];
  tiny: { text: string; ids: number[] }[];
}

const textOf = async (path: string) => new TextDecoder().decode(await readFixture(path));

let fixture: Cases;
let gpt2: Tokenizer;
beforeAll(async () => {
  fixture = await readFixtureJson<Cases>('tokenizer.json');
  gpt2 = await loadTokenizer({}, 50257);
});

describe("GPT-2's own vocabulary", () => {
  test('ids equal to OpenAI’s, and back', () => {
    expect(fixture.cases.length).toBe(150);
    for (const { text, ids, ids_with_special } of fixture.cases) {
      expect(gpt2.encode(text), text).toEqual(ids);
      expect(gpt2.encode(text, { special: true }), text).toEqual(ids_with_special ?? ids);
      expect(gpt2.decode(ids)).toBe(text);
    }
  });

  test('<|endoftext|> is text unless asked for', () => {
    expect(gpt2.eosId).toBe(50256);
    expect(gpt2.encode('<|endoftext|>')).not.toContain(50256);
    expect(gpt2.encode('a<|endoftext|>b', { special: true })).toEqual([64, 50256, 65]);
    expect(gpt2.decode([50256])).toBe('<|endoftext|>');
  });

  test('streams: half a character is never shown, and nothing is lost', () => {
    for (const { note, ids, deltas, flush } of fixture.streaming) {
      const stream = gpt2.stream();
      expect(
        ids.map((id) => stream.push(id)),
        note,
      ).toEqual(deltas);
      expect(stream.flush(), note).toBe(flush);
    }
  });

  test('a leading byte order mark, U+0085 and lone surrogates', () => {
    for (const text of ['\uFEFFhello', 'a\u0085b', ' \uFEFF \u0085 x', '\u00a0\u3000z']) {
      expect(gpt2.decode(gpt2.encode(text))).toBe(text);
    }
    expect(gpt2.decode(gpt2.encode('a\ud800b'))).toBe('a\ufffdb');
    const stream = gpt2.stream();
    expect(
      gpt2
        .encode('\uFEFFhi')
        .map((id) => stream.push(id))
        .join('') + stream.flush(),
    ).toBe('\uFEFFhi');
  });

  test.each([
    ['one letter', 'a'.repeat(100_000)],
    ['letters', randomText(100_000, 97, 26)],
    ['CJK', randomText(33_000, 0x4e00, 5000)],
    ['emoji', Array.from({ length: 25_000 }, (_, i) => String.fromCodePoint(0x1f600 + ((i * 7) % 64))).join('')],
    ['digits', randomText(100_000, 48, 10)],
    ['spaces', ' '.repeat(100_000)],
    ['newlines', '\n'.repeat(100_000)],
    ['punctuation', randomText(100_000, 33, 15)],
  ])(
    '100 KB without a break come through whole: %s',
    (_, text) => {
      // The library's own merge loop would need minutes here: the test's time-out is the bound.
      expect(gpt2.decode(gpt2.encode(text))).toBe(text);
    },
    8000,
  );

  test('a long piece has the ids that the library gives it', async () => {
    const { encode } = await import('gpt-tokenizer/encoding/r50k_base');
    const next = seeded(4);
    for (let n = 0; n < 400; n++) {
      const length = 1 + Math.floor((next() + 1) * 200);
      const text = Array.from({ length }, () => String.fromCharCode(97 + Math.floor((next() + 1) * 3))).join('');
      expect(gpt2.encode(text)).toEqual(encode(text));
    }
  });

  test('any text comes back, and any ids stream as they decode', () => {
    const next = seeded(9);
    const codePoint = () => {
      const plane = Math.floor((next() + 1) * 4);
      return [32 + next() * 16, 0xc0 + (next() + 1) * 300, 0x2000 + (next() + 1) * 4000, 0x1f300 + (next() + 1) * 300][
        plane % 4
      ]!;
    };
    for (let n = 0; n < 1000; n++) {
      const text = Array.from({ length: 1 + (n % 40) }, () =>
        String.fromCodePoint(Math.abs(Math.floor(codePoint()))),
      ).join('');
      expect(gpt2.decode(gpt2.encode(text))).toBe(text);
      const ids = Array.from({ length: 12 }, () => Math.floor(((next() + 1) / 2) * 50256));
      const stream = gpt2.stream();
      expect(ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe(gpt2.decode(ids));
    }
  });

  test.each([[-1], [50257], [1.5], [Number.NaN]])('id %s is refused', (id) => {
    expect(() => gpt2.decode([id])).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });

  test('unknown options are refused', () => {
    expect(() => gpt2.encode('a', { specials: true } as never)).toThrow(
      expect.objectContaining({ code: 'bad-option' }),
    );
    expect(() => gpt2.encode(7 as never)).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});

describe("a checkpoint's own vocabulary", () => {
  test.each(['tokenizer.json', 'vocab.json and merges.txt'])('the 50 cases of tiny-gpt2, from %s', async (files) => {
    const own =
      files === 'tokenizer.json'
        ? { tokenizerJson: await textOf('tiny-gpt2/tokenizer.json') }
        : { vocab: await textOf('tiny-gpt2/vocab.json'), merges: await textOf('tiny-gpt2/merges.txt') };
    const tiny = await loadTokenizer(own, 1000);
    expect(fixture.tiny.length).toBe(50);
    for (const { text, ids } of fixture.tiny) {
      expect(tiny.encode(text), text).toEqual(ids);
      expect(tiny.decode(ids)).toBe(text);
    }
    expect(tiny.eosId).toBe(999);
    expect(tiny.encode('<|endoftext|>', { special: true })).toEqual([999]);
  });

  test('without any, ids are shown and text is refused', async () => {
    const none = await loadTokenizer({}, 3);
    expect(none.decode([0, 2])).toBe('<0><2>');
    expect(() => none.encode('a')).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });

  test.each([
    ['no JSON', { tokenizerJson: '{' }],
    ['another kind of model', { tokenizerJson: JSON.stringify({ model: { type: 'Unigram', vocab: [] } }) }],
    ['no vocabulary', { tokenizerJson: JSON.stringify({ model: { type: 'BPE', merges: [] } }) }],
    ['a merge of unknown tokens', { vocab: JSON.stringify({ a: 0, b: 1 }), merges: '#version: 0.2\nx y\n' }],
    ['an id past the model', { vocab: JSON.stringify({ a: 0, b: 99999 }), merges: '' }],
    ['ids that are no numbers', { vocab: JSON.stringify({ a: 'x' }), merges: '' }],
  ])('broken files are refused: %s', async (_, files) => {
    const refused = expect.objectContaining({ code: expect.stringMatching(/^(bad|unsupported)-checkpoint$/) });
    await expect(loadTokenizer(files, 1000)).rejects.toEqual(refused);
  });
});

function randomText(length: number, first: number, count: number): string {
  const next = seeded(first);
  return Array.from({ length }, () => String.fromCharCode(first + Math.floor(((next() + 1) / 2) * count))).join('');
}
