import { afterEach, describe, expect, test, vi } from 'vitest';
import { gpt2Vocabulary } from '../../src/text/gpt2.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { mergePairs } from '../../src/text/merge.ts';
import { endOfText } from '../../src/text/tokenizer.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';

type Json = Record<string, unknown>;
interface TokenizerJson extends Json {
  model: Json & { vocab: Record<string, number>; merges: string[] };
  added_tokens: Json[];
}

const tiny = await readFixtureJson<TokenizerJson>('tiny-gpt2/tokenizer.json');
const readText = async (path: string) => new TextDecoder().decode(await readFixture(path));
const load = (json: unknown, vocabSize = 1000) => loadTokenizer({ tokenizerJson: JSON.stringify(json) }, vocabSize);
/** tiny-gpt2's tokenizer.json with other fields, of `model` too. */
const tinyWith = ({ model, ...fields }: Json) => ({ ...tiny, ...fields, model: { ...tiny.model, ...(model as Json) } });
const splitBy = (Regex: string, fields: Json = {}) => ({
  type: 'Split',
  pattern: { Regex },
  behavior: 'Isolated',
  invert: false,
  ...fields,
});
const byteLevel = (fields: Json = {}) => ({ type: 'ByteLevel', add_prefix_space: false, use_regex: true, ...fields });
const sequence = (...pretokenizers: Json[]) => ({ type: 'Sequence', pretokenizers });

describe('broken files are refused', () => {
  const { vocab, merges } = tiny.model;
  const withVocab = (more: Json) => tinyWith({ model: { vocab: { ...vocab, ...more } } });
  const withMerges = (...more: unknown[]) => tinyWith({ model: { merges: [...merges, ...more] } });
  const eos = tiny.added_tokens[0]!;

  test.each<[string, unknown, RegExp]>([
    ['a list', [], /tokenizer\.json is \[\], expected an object/],
    ['no model', { ...tiny, model: undefined }, /model is missing/],
    ['no vocabulary', tinyWith({ model: { vocab: undefined } }), /model\.vocab is missing/],
    ['a vocabulary that is a list', tinyWith({ model: { vocab: ['a'] } }), /model\.vocab is \["a"\]/],
    ['no merges', tinyWith({ model: { merges: undefined } }), /model\.merges is missing/],
    ['an id that is text', withVocab({ zz: '7' }), /"zz" has the id "7"/],
    ['an id below 0', withVocab({ zz: -1 }), /"zz" has the id -1/],
    ['an id beyond the model', withVocab({ zz: 1000 }), /"zz" has the id 1000, expected 0 to 999/],
    ['an id twice', withVocab({ zz: 5 }), /"zz" has the id 5 of another/],
    ['a merge of an unknown piece', withMerges('zzz q'), /entry 743 needs "zzz"/],
    ['a merge into an unknown piece', withMerges('z z'), /entry 743 needs "zz"/],
    ['a merge of one', withMerges('the'), /entry 743 is "the"/],
    ['a merge of three', withMerges(['a', 'b', 'c']), /entry 743 is \["a","b","c"\]/],
    ['a merge that is a number', withMerges(7), /entry 743 is 7/],
    ['no pre-tokenizer', { ...tiny, pre_tokenizer: null }, /pre_tokenizer is null/],
    ['added tokens that are no list', { ...tiny, added_tokens: {} }, /added_tokens is \{\}/],
    ['an added token beyond the model', { ...tiny, added_tokens: [{ ...eos, id: 1000 }] }, /added_tokens\[0\].*1000/],
    ['an added token in the place of a piece', { ...tiny, added_tokens: [{ ...eos, id: 3 }] }, /the id 3 of another/],
    ['an added token without text', { ...tiny, added_tokens: [{ id: 999 }] }, /added_tokens\[0\] has no content/],
  ])('%s', async (_, json, message) => {
    const refusal = { code: 'bad-checkpoint', message: expect.stringMatching(message) };
    await expect(load(json)).rejects.toEqual(expect.objectContaining(refusal));
  });

  test('text that is no JSON, one file without the other', async () => {
    const [vocab, merges] = [await readText('tiny-gpt2/vocab.json'), await readText('tiny-gpt2/merges.txt')];
    for (const [files, message] of [
      [{ tokenizerJson: '<html>' }, /tokenizer\.json is not JSON/],
      [{ tokenizerJson: '' }, /tokenizer\.json is not JSON/],
      [{ vocab: vocab.slice(0, -9), merges }, /vocab\.json is not JSON/],
      [{ vocab }, /merges\.txt is missing/],
      [{ merges }, /vocab\.json is missing/],
      [{ vocab, merges: `${merges}zzz q\n` }, /merges\.txt: entry 743 needs "zzz"/],
      [{ vocab, merges: vocab }, /merges\.txt: entry 0 is/],
    ] as const) {
      const refusal = { code: 'bad-checkpoint', message: expect.stringMatching(message) };
      await expect(loadTokenizer(files, 1000)).rejects.toEqual(expect.objectContaining(refusal));
    }
  });
});

test("Python's words for what JSON has none for", async () => {
  const json = JSON.stringify(tiny).replace('{', '{"padding":{"length":Infinity,"x":[NaN,-Infinity]},');
  const { encode } = await loadTokenizer({ tokenizerJson: json }, 1000);
  expect(encode('NaN -Infinity')).toEqual((await load(tiny)).encode('NaN -Infinity'));
  const id = JSON.stringify({ ...tiny, added_tokens: [{ content: 'x', id: 0 }] }).replace('"id":0', '"id":NaN');
  await expect(loadTokenizer({ tokenizerJson: id }, 1000)).rejects.toThrow('added_tokens[0] has the id NaN');
});

describe('what would be read otherwise than it is meant is refused', () => {
  test.each<[string, unknown, RegExp]>([
    ['another model', tinyWith({ model: { type: 'WordLevel' } }), /model\.type is "WordLevel", expected "BPE"/],
    ['dropout', tinyWith({ model: { dropout: 0.1 } }), /model\.dropout is 0\.1/],
    ['a suffix', tinyWith({ model: { end_of_word_suffix: '</w>' } }), /model\.end_of_word_suffix is "<\/w>"/],
    ['another decoder', { ...tiny, decoder: { type: 'Metaspace' } }, /decoder\.type is "Metaspace"/],
    ['another normalizer', { ...tiny, normalizer: { type: 'Rot13' } }, /Rot13/],
    [
      'another pre-tokenizer',
      { ...tiny, pre_tokenizer: { type: 'Metaspace' } },
      /pre_tokenizer is .*"Metaspace".*expected "ByteLevel"/,
    ],
    ['no ByteLevel', { ...tiny, pre_tokenizer: sequence(splitBy('a')) }, /pre_tokenizer is .*expected "ByteLevel"/],
    [
      'a split that nobody knows',
      { ...tiny, pre_tokenizer: sequence(splitBy('a', { behavior: 'Doubled' }), byteLevel()) },
      /pretokenizers\[0\]\.behavior is "Doubled", expected "Removed" or/,
    ],
    [
      'a pattern that may take for ever',
      { ...tiny, pre_tokenizer: sequence(splitBy('(a+)+b'), byteLevel()) },
      /pattern is .*\(a\+\)\+b.*repeats no repetition/,
    ],
    [
      'a pattern that is none',
      { ...tiny, pre_tokenizer: sequence(splitBy('(a'), byteLevel()) },
      /pattern cannot be read/,
    ],
    ['another post-processor', { ...tiny, post_processor: { type: 'Stamp' } }, /post_processor\.type is "Stamp"/],
  ])('%s', async (_, json, message) => {
    const refusal = { code: 'unsupported-checkpoint', message: expect.stringMatching(message) };
    await expect(load(json)).rejects.toEqual(expect.objectContaining(refusal));
  });
});

describe('what tokenizer.json asks for', () => {
  test('a prefix space, for a text and after a special token', async () => {
    const tokenizer = await load({ ...tiny, pre_tokenizer: byteLevel({ add_prefix_space: true }) });
    const texts = (sample: string, special = false) =>
      tokenizer.encode(sample, { special }).map((id) => tokenizer.token(id));
    expect(tokenizer.decode(tokenizer.encode('the cat'))).toBe(' the cat');
    expect(tokenizer.encode('the cat')).toEqual(tokenizer.encode(' the cat'));
    expect(texts('\nhe')).toEqual([' ', '\n', 'he']);
    expect(texts('the<|endoftext|>the', true)).toEqual([' the', endOfText, ' the']);
    expect(tokenizer.encode('')).toEqual([]);
  });

  test('other cuts: digits one by one, a pattern, none', async () => {
    const pieces = async (pre_tokenizer: Json, sample: string) => {
      const tokenizer = await load({ ...tiny, pre_tokenizer });
      return tokenizer.encode(sample).map((id) => tokenizer.token(id));
    };
    const ids = await load(tiny);
    const plain = (sample: string) => ids.encode(sample).map((id) => ids.token(id));
    expect(await pieces(byteLevel(), 'he the')).toEqual(['he', ' the']);
    expect(await pieces(sequence(splitBy('h'), byteLevel()), 'he')).toEqual(['h', 'e']);
    expect(await pieces(sequence(splitBy('h', { behavior: 'Removed' }), byteLevel()), 'ehe')).toEqual(['e', 'e']);
    expect(plain('10')).toHaveLength(1);
    const oneByOne = sequence({ type: 'Digits', individual_digits: true }, byteLevel());
    expect(await pieces(oneByOne, '1010')).toEqual([...'1010']);
    const joined = splitBy('h', { behavior: 'MergedWithNext' });
    expect(await pieces(sequence(joined, byteLevel()), 'ahe')).toEqual(['a', 'he']);
    expect(await pieces(byteLevel({ use_regex: false }), 'he the')).toEqual(['he', ' the']);
  });

  test('tokens added for any text, and a normalizer', async () => {
    const added_tokens = [...tiny.added_tokens, { id: 1000, content: '<|user|>', special: false }];
    const tokenizer = await load({ ...tiny, added_tokens, normalizer: { type: 'Lowercase' } }, 1003);
    expect(tokenizer.encode('<|user|>')).toEqual([1000]);
    expect(tokenizer.encode('THE')).toEqual(tokenizer.encode('the'));
    expect(tokenizer.vocabSize).toBe(1003);
    // The embedding has more rows than the vocabulary has pieces.
    expect(tokenizer.decode([1001, ...tokenizer.encode('the'), 1002])).toBe('the');
    expect(tokenizer.bytes(1002)).toHaveLength(0);
  });

  test('merges as pairs, pieces that JavaScript has other plans for', async () => {
    const pairs = tiny.model.merges.map((merge) => merge.split(' '));
    const tokenizer = await load(tinyWith({ model: { merges: pairs } }));
    const plain = await load(tiny);
    for (const sample of ['the cat sat', 'constructor __proto__ toString']) {
      expect(tokenizer.encode(sample)).toEqual(plain.encode(sample));
      expect(tokenizer.decode(tokenizer.encode(sample))).toBe(sample);
    }
  });

  test('a vocabulary without all bytes refuses what it cannot spell', async () => {
    const files = { vocab: '{"a":0,"b":1,"ab":2}', merges: '#version: 0.2\r\na b\r\n' };
    const tokenizer = await loadTokenizer(files, 3);
    expect(tokenizer.encode('abba')).toEqual([2, 1, 0]);
    expect(tokenizer.eosId).toBeNull();
    expect(() => tokenizer.encode('abc')).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});

describe(`GPT-2's vocabulary in files`, async () => {
  const { pieces } = await gpt2Vocabulary();
  const { vocab, merges } = spell(pieces);
  const files = { vocab: JSON.stringify(vocab), merges: `#version: 0.2\n${merges.join('\n')}\n` };

  afterEach(() => {
    vi.doUnmock('@huggingface/tokenizers');
    vi.doUnmock('gpt-tokenizer/bpeRanks/r50k_base');
  });

  test('is read from them, without its table', async () => {
    vi.doMock('gpt-tokenizer/bpeRanks/r50k_base', () => Promise.reject(new TypeError('not fetched')));
    const { loadTokenizer } = await freshModule();
    const tokenizer = await loadTokenizer(files, 50257);
    expect(tokenizer.encode('Once upon a time')).toEqual([7454, 2402, 257, 640]);
    await expect(loadTokenizer({}, 50257)).rejects.toMatchObject({ code: 'network' });
  });

  test('the library of patterns is fetched for those that need it', async () => {
    vi.doMock('@huggingface/tokenizers', () => Promise.reject(new TypeError('not fetched')));
    const { loadTokenizer } = await freshModule();
    await loadTokenizer({ tokenizerJson: JSON.stringify(tiny) }, 1000);
    const pre_tokenizer = sequence(splitBy("(?i:'s)"), byteLevel({ use_regex: false }));
    const others = { tokenizerJson: JSON.stringify({ ...tiny, pre_tokenizer }) };
    await expect(loadTokenizer(others, 1000)).rejects.toMatchObject({ code: 'network' });
  });

  test('gives the same ids from files, and is not taken for another', async () => {
    const own = await loadTokenizer({ ...files, vocab: JSON.stringify({ ...vocab, '<|more|>': 50257 }) }, 50258);
    const gpt2 = await loadTokenizer(files, 50257);
    const { cases } = await readFixtureJson<{ cases: { text: string; ids: number[] }[] }>('tokenizer.json');
    for (const { text, ids } of cases) {
      expect(gpt2.encode(text)).toEqual(ids);
      expect(own.encode(text)).toEqual(ids);
    }
    for (const sample of [' \uFEFF!', ' \u0085!', '\n\n\uFEFF', '\n\n\u0085', '\uFEFF']) {
      expect(own.encode(sample)).toEqual(gpt2.encode(sample));
    }
    const other = { ...vocab, the: vocab.The!, The: vocab.the! };
    const exchanged = await loadTokenizer({ ...files, vocab: JSON.stringify(other) }, 50257);
    expect(exchanged.encode('the')).toEqual(gpt2.encode('The'));
  });
});

function freshModule() {
  vi.resetModules();
  return import('../../src/text/load.ts');
}

/** vocab.json and the lines of merges.txt for pieces in the order in which they were merged. */
function spell(pieces: readonly string[]): { vocab: Record<string, number>; merges: string[] } {
  const prints = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  const others = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !prints(byte));
  const letter = (byte: number) => String.fromCharCode(prints(byte) ? byte : 256 + others.indexOf(byte));
  const spelled = pieces.map((piece) => Array.from(piece, (char) => letter(char.charCodeAt(0))).join(''));
  const ranks = new Map(pieces.slice(0, 256).map((piece, id) => [piece, id]));
  const merges: string[] = [];
  for (let id = 256; id < pieces.length - 1; id++) {
    merges.push(
      mergePairs(pieces[id]!, ranks)
        .ids.map((part) => spelled[part])
        .join(' '),
    );
    ranks.set(pieces[id]!, id);
  }
  return { vocab: Object.fromEntries(spelled.map((piece, id) => [piece, id])), merges };
}
