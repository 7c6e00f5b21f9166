import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load.ts';
import type { Truncation } from '../../src/text/options.ts';
import { isSubword } from '../../src/text/words.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';

const read = async (path: string) => new TextDecoder().decode(await readFixture(`families/${path}`));
const load = async (folder: string) =>
  loadTokenizer(
    {
      tokenizerJson: await read(`${folder}/tokenizer.json`),
      config: await read(`${folder}/tokenizer_config.json`),
      specialTokens: await read(`${folder}/special_tokens_map.json`),
    },
    1000,
  );

const [bert, cased, roberta, t5, llama, neo] = await Promise.all(
  ['bert-mlm', 'bert-tokcls', 'roberta-mlm', 't5-v1.0', 'llama-gqa', 'gpt-neo'].map(load),
);
const marian = await loadTokenizer(
  {
    source: await readFixture('families/marian-swish/source.spm'),
    target: await readFixture('families/marian-swish/target.spm'),
    vocab: await read('marian-swish/vocab.json'),
  },
  1000,
);

describe('where ids stand in the text', async () => {
  const { texts, cases } = await readFixtureJson<{
    texts: string[];
    cases: Record<string, { ids: number[]; offsets: number[] }[]>;
  }>('families/offsets.json');

  test.each(Object.keys(cases))("%s: as Hugging Face's own tokenizers say", async (folder) => {
    const tokenizer = await loadTokenizer({ tokenizerJson: await read(`${folder}/tokenizer.json`) }, 1000);
    for (const [i, text] of texts.entries()) {
      const { ids, offsets } = cases[folder]![i]!;
      const found = tokenizer.inputs(text);
      expect(found.ids, text).toEqual(ids);
      expect(found.offsets.flat(), text).toEqual(offsets);
    }
  });

  test("GPT-2's own table and a file agree", async () => {
    const own = await loadTokenizer({}, 50257);
    for (const text of texts) {
      const { ids, offsets, sequence } = own.inputs(text);
      expect(ids).toEqual(own.encode(text, { special: true }));
      expect(sequence).toEqual(ids.map(() => 0));
      // What the ids stand for is the text, each character where it is.
      const bytes = new TextEncoder();
      for (const [k, [start, end]] of offsets.entries()) {
        const part = bytes.encode(text.slice(start, end)).join();
        expect(part, text).toContain(own.bytes(ids[k]!).join());
      }
      expect(offsets.at(-1)?.[1] ?? 0).toBe(text.length);
    }
    const { offsets } = own.inputs('a<|endoftext|>é');
    expect(offsets.slice(0, 2)).toEqual([
      [0, 1],
      [1, 14],
    ]);
  });

  test('SentencePiece models without a tokenizer.json', () => {
    const { ids, offsets } = marian.inputs('>>fr<< Hé  😀');
    const parts = offsets.map(([start, end]) => '>>fr<< Hé  😀'.slice(start, end));
    expect(ids[0]).toBe(274);
    expect(parts).toEqual(['>>fr<<', 'H', 'H', 'é', ' ', '😀', '']);
  });

  test('lone surrogates count as one unit', () => {
    const { offsets } = neo!.inputs('a\ud83db');
    expect(offsets.at(1)).toEqual([1, 2]);
    expect(offsets.at(-1)).toEqual([2, 3]);
  });
});

describe('special tokens', () => {
  test('in a text are text unless asked for', () => {
    for (const tokenizer of [bert!, roberta!, t5!, llama!, neo!, marian]) {
      const contents = [...tokenizer.specialIds].map((id) => tokenizer.token(id));
      expect(contents.length).toBeGreaterThan(0);
      for (const content of contents) {
        const plain = tokenizer.encode(`a ${content} b`);
        const unknown = (id: number) => id === tokenizer.unkId;
        expect(
          plain.filter((id) => tokenizer.specialIds.has(id) && !unknown(id)),
          content,
        ).toEqual([]);
      }
      const [id] = tokenizer.specialIds;
      expect(tokenizer.encode(`a ${tokenizer.token(id!)} b`, { special: true })).toContain(id);
    }
  });

  test('have names', () => {
    expect(bert).toMatchObject({ clsId: 2, sepId: 3, maskId: 4, padId: 0, unkId: 1, bosId: null, eosId: null });
    expect(roberta).toMatchObject({ clsId: 0, sepId: 2, bosId: 0, eosId: 2, maskId: 317, padId: 1, unkId: 3 });
    expect(t5).toMatchObject({ eosId: 1, padId: 0, unkId: 2, maskId: null, clsId: null });
    expect(neo).toMatchObject({ eosId: 306, bosId: 306, padId: null });
    expect(marian).toMatchObject({ eosId: 0, unkId: 1, padId: 275 });
  });

  test('are left out of a text that is decoded without them', () => {
    const ids = bert!.encode('the window', { special: true });
    expect(bert!.decode(ids)).toBe('[CLS] the window [SEP]');
    expect(bert!.decode(ids, { special: false })).toBe('the window');
    expect(bert!.pieces(ids, { special: false })).toHaveLength(ids.length);
    expect(bert!.pieces(ids, { special: false }).join('')).toBe('the window');
  });

  test('are no part of a pair without them', () => {
    expect(bert!.encode('a', { pair: 'b' })).toEqual([...bert!.encode('a'), ...bert!.encode('b')]);
    expect(bert!.encode('a b a b', { maxLength: 3 })).toEqual(bert!.encode('a b a'));
    const { ids, types, sequence, offsets } = bert!.inputs('a', { pair: 'b a' });
    expect(ids).toEqual([2, ...bert!.encode('a'), 3, ...bert!.encode('b a'), 3]);
    expect(types).toEqual([0, 0, 0, 1, 1, 1]);
    expect(sequence).toEqual([null, 0, null, 1, 1, null]);
    expect(offsets).toEqual([
      [0, 0],
      [0, 1],
      [0, 0],
      [0, 1],
      [2, 3],
      [0, 0],
    ]);
  });
});

describe('a mask', () => {
  test('takes the space before it where the file says so, and its offsets do not', () => {
    const { ids, offsets } = roberta!.inputs('The <mask> sat');
    const at = ids.indexOf(roberta!.maskId!);
    expect(roberta!.token(ids[at + 1]!)).toMatch(/^ /);
    expect(offsets[at]).toEqual([4, 10]);
    expect(bert!.inputs('The [MASK] sat').offsets[bert!.inputs('The [MASK] sat').ids.indexOf(4)]).toEqual([4, 10]);
  });
});

describe('what does not fit', () => {
  const texts = { pair: 'b b b b b b' };
  test('is cut from the longer text, or from the one that is named', () => {
    const lengths = (options: { maxLength: number; truncation?: Truncation }) => {
      const { sequence } = bert!.inputs('a a a a', { ...texts, ...options });
      return [0, 1].map((of) => sequence.filter((each) => each === of).length);
    };
    expect(lengths({ maxLength: 13 })).toEqual([4, 6]);
    expect(lengths({ maxLength: 12 })).toEqual([4, 5]);
    expect(lengths({ maxLength: 11 })).toEqual([4, 4]);
    expect(lengths({ maxLength: 10 })).toEqual([3, 4]);
    expect(lengths({ maxLength: 9 })).toEqual([3, 3]);
    expect(lengths({ maxLength: 10, truncation: 'only_first' })).toEqual([1, 6]);
    expect(lengths({ maxLength: 10, truncation: 'only_second' })).toEqual([4, 3]);
    expect(lengths({ maxLength: 3 })).toEqual([0, 0]);
  });

  test('and what cannot be cut is refused', () => {
    const refused = (options: object, expected: RegExp) =>
      expect(() => bert!.inputs('a a', options)).toThrow(
        expect.objectContaining({ code: 'bad-option', message: expect.stringMatching(expected) }),
      );
    refused({ maxLength: 1 }, /'maxLength' is 1, and the tokens around the text are 2/);
    refused(
      { ...texts, maxLength: 7, truncation: 'only_first' },
      /'only_first', and 4 ids of this text are too many: it has 2/,
    );
    refused({ maxLength: 3, truncation: 'only_second' }, /there is no second text/);
    refused({ maxLength: 2.5 }, /'maxLength'.*2\.5/);
    refused({ maxLength: -1 }, /'maxLength'.*-1/);
    refused({ truncation: 'longest' }, /'truncation'.*longest/);
    refused({ pair: 7 }, /'pair'.*7/);
    refused({ special: true }, /'special' of inputs is unknown/);
    expect(() => bert!.decode([2], [] as object)).toThrow(/options are no object/);
    expect(() => bert!.decode([2], { specials: true } as object)).toThrow(/'specials' of decode is unknown/);
    expect(() => bert!.inputs(7 as unknown as string)).toThrow(/inputs expects a string/);
  });
});

describe('text of ids', () => {
  test('is written as people write it where the files say so', () => {
    const ids = bert!.encode("it's a cat, isn't it? we've \"one\" .");
    expect(bert!.decode(ids, { cleanup: false })).toContain("it ' s a cat , isn ' t it ? we ' ve");
    expect(bert!.decode(ids)).toContain("it's a cat, isn't it? we've");
    expect(marian.decode(marian.encode('a , b .', { special: true }), { special: false })).toBe('a , b .');
  });

  test('comes in pieces that are the whole, whatever is cleaned up', () => {
    const parts = ["'", 's', 've', "n't", 't', 'n', '.', '?', ',', '!', 'm', 're', 'a', '##s', '"', 'do', 'not'];
    const ids = parts.map((part) => bert!.encode(part.replace('##', ''))[0]!);
    let state = 1;
    const next = (limit: number) => (state = (state * 48271) % 0x7fffffff) % limit;
    for (let i = 0; i < 3000; i++) {
      const list = Array.from({ length: next(9) }, () => ids[next(ids.length)]!);
      const stream = bert!.stream();
      const spaced = list.map((id, k) => (k ? ' ' : '') + bert!.token(id)).join('');
      const expected = clean(
        list
          .map((id, k) => (k && !bert!.spelling(id).startsWith('##') ? ' ' : '') + bert!.token(id).replace('##', ''))
          .join(''),
      );
      expect(bert!.decode(list), spaced).toBe(expected);
      expect(list.map(stream.push).join('') + stream.flush()).toBe(expected);
    }
  });

  /** transformers' `clean_up_tokenization`, on the whole text. */
  function clean(text: string): string {
    const found = [' .', ' ?', ' !', ' ,', " ' ", " n't", " 'm", " 's", " 've", " 're"];
    return found.reduce((before, part) => before.replaceAll(part, part.trim()), text);
  }

  test('begins and ends without the spaces of SentencePiece', () => {
    const ids = t5!.encode('a picture');
    expect(t5!.decode(ids)).toBe('a picture');
    const stream = t5!.stream();
    const pieces = ids.map(stream.push);
    expect(pieces[0]).not.toMatch(/^ /);
    expect(pieces.join('') + stream.flush()).toBe('a picture');
    expect(ids.map(stream.push).join('') + stream.flush()).toBe('a picture');
  });

  test('is whole where bytes are spelled one by one', () => {
    const text = 'a 😀👍 b';
    const ids = llama!.encode(text);
    const stream = llama!.stream();
    expect(llama!.decode(ids)).toBe(text);
    expect(ids.map(stream.push).join('') + stream.flush()).toBe(text);
    const broken = ids.filter((id) => llama!.spelling(id) !== '<0x9F>');
    expect(llama!.decode(broken)).toBe('a \ufffd\ufffd\ufffd\ufffd\ufffd\ufffd b'); // the whole run, as there is no telling
    expect(llama!.decode(llama!.encode('\ufeffa'))).toBe('\ufeffa');
    for (const tokenizer of [roberta!, neo!]) expect(tokenizer.decode(tokenizer.encode('\ufeffa'))).toBe('\ufeffa');
  });

  test('of pieces as they are spelled', () => {
    expect(bert!.join(['the', 'win', '##dow', '.'])).toBe('the window.');
    expect(t5!.join(['▁a', '▁pic', 'ture'])).toBe('a picture');
    expect(roberta!.join(['The', 'Ġcat'])).toBe('The cat');
  });
});

describe('words', () => {
  const subwords = (tokenizer: typeof bert, text: string) => {
    const { ids, offsets, sequence } = tokenizer!.inputs(text);
    return ids.flatMap((id, i) => (sequence[i] === null ? [] : [isSubword(tokenizer!, text, id, offsets[i]!) ? 1 : 0]));
  };

  test('begin where the vocabulary, or a space, says so', () => {
    const spellings = cased!.encode('The engine, e').map((id) => cased!.spelling(id));
    expect(subwords(cased, 'The engine, e')).toEqual(spellings.map((piece) => (piece.startsWith('##') ? 1 : 0)));
    expect(subwords(bert, 'a ⛁')).toEqual([0, 0]);
    const { ids, offsets } = roberta!.inputs('The engine');
    const starts = offsets.slice(1, -1).map(([start]) => start);
    expect(subwords(roberta, 'The engine')).toEqual(starts.map((start) => (start === 0 || start === 4 ? 0 : 1)));
    expect(ids.length).toBeGreaterThan(3);
  });
});

test('the target of a translation has pieces of its own', async () => {
  const text = 'Brot und boat';
  expect(marian.target!.encode(text)).not.toEqual(marian.encode(text));
  expect(marian.target!.inputs(text).ids.at(-1)).toBe(marian.eosId);
  expect(marian.target!.decode(marian.target!.encode('boat'))).toBe('boat');
  expect(bert!.target).toBeUndefined();
  const source = await readFixture('families/marian-swish/source.spm');
  const alone = await loadTokenizer({ source, vocab: await read('marian-swish/vocab.json') }, 1000);
  expect(alone.target).toBeUndefined();
  expect(alone.encode(text)).toEqual(marian.encode(text));
});

describe('languages', () => {
  test('are read before a text, where the vocabulary has them', () => {
    const [fr] = marian.encode('>>fr<< boat');
    expect(marian.spelling(fr!)).toBe('>>fr<<');
    expect(marian.encode('a >>fr<< boat')).not.toContain(fr);
    expect(marian.encode('>>xx<< boat')).not.toContain(fr);
    expect(marian.specialIds.has(fr!)).toBe(false);
  });
});

describe('what a tokenizer.json may ask for', async () => {
  const json = JSON.parse(await read('bert-mlm/tokenizer.json'));
  const with_ = (fields: object) => loadTokenizer({ tokenizerJson: JSON.stringify({ ...json, ...fields }) }, 1000);
  const pieces = async (fields: object, text: string) => {
    const tokenizer = await with_(fields);
    return tokenizer.encode(text).map(tokenizer.spelling);
  };
  const unknown = '[UNK]';

  // Each as tokenizers 0.23 gives it.
  test('added tokens that take spaces, stand alone, or are found in the normalized text', async () => {
    const token = (content: string, more: object) => ({
      added_tokens: [...json.added_tokens, { id: 999, content, ...more }],
    });
    const alone = await pieces(token('zor', { single_word: true }), 'zor zorld');
    expect(alone.filter((piece) => piece === 'zor')).toEqual(alone.slice(0, 1));
    expect(await pieces(token('THE', { normalized: true }), 'the')).toEqual(['THE']);
    expect(await pieces(token('THE', { normalized: false }), 'the')).toEqual(['the']);
    for (const content of ['<|a-b|>', 'a/b', '[x]', '\\d+', '^$.*+?(){}|', '-', ' ']) {
      expect((await with_(token(content, {}))).encode(`e${content}e`), content).toContain(999);
    }
    const stripped = await with_(token('zzz', { lstrip: true, rstrip: true }));
    expect(stripped.inputs('a  zzz  b').offsets).toEqual([
      [0, 0],
      [0, 1],
      [1, 8],
      [8, 9],
      [0, 0],
    ]);
  });

  test('splits of every kind', async () => {
    const split = (behavior: string, invert = false) => ({
      pre_tokenizer: { type: 'Split', pattern: { String: 'e' }, behavior, invert },
    });
    expect(await pieces(split('Removed'), 'aeeb')).toEqual(['a', 'b']);
    expect(await pieces(split('Isolated'), 'aeeb')).toEqual(['a', 'e', 'e', 'b']);
    expect(await pieces(split('Contiguous'), 'aeeb')).toEqual(['a', 'e', '##e', 'b']);
    expect(await pieces(split('MergedWithPrevious'), 'aeeb')).toEqual(['a', '##e', 'e', 'b']);
    expect(await pieces(split('MergedWithNext'), 'aeeb')).toEqual(['a', 'e', 'e', '##b']);
    expect(await pieces(split('Removed', true), 'aeeb')).toEqual(['e', 'e']);
    expect(await pieces({ pre_tokenizer: { type: 'Digits', individual_digits: false } }, 'a12')).toEqual([
      'a',
      '1',
      '##2',
    ]);
    expect(await pieces({ pre_tokenizer: { type: 'CharDelimiterSplit', delimiter: 'e' } }, 'aeb')).toEqual(['a', 'b']);
    expect(await pieces({ pre_tokenizer: { type: 'Whitespace' } }, 'a, ⛁')).toEqual(
      ['a', unknown, unknown].map((x, i) => (i === 1 ? ',' : x)),
    );
  });

  test('normalizers, whose text stands where the old one stood', async () => {
    const normalizer = (...normalizers: object[]) => ({ normalizer: { type: 'Sequence', normalizers } });
    const places = async (fields: object, text: string) => (await with_(fields)).inputs(text).offsets.slice(1, -1);
    const replaced = normalizer({ type: 'Replace', pattern: { Regex: 'x+' }, content: 'a b' });
    expect(await pieces(replaced, 'exxxe')).toEqual(['e', '##a', 'be']);
    expect(await places(normalizer({ type: 'NFKC' }, { type: 'Lowercase' }), 'ﬁ ａ')).toEqual([
      [0, 1],
      [0, 1],
      [2, 3],
    ]);
    expect(await pieces(normalizer({ type: 'NFD' }, { type: 'StripAccents' }), 'é')).toEqual(['e']);
    expect(await places(normalizer({ type: 'NFC' }), 'e\u0301 b')).toEqual([
      [0, 1],
      [3, 4],
    ]);
    expect(await pieces(normalizer({ type: 'Strip', strip_left: true, strip_right: true }), '  a  ')).toEqual(['a']);
    expect(await pieces(normalizer({ type: 'Prepend', prepend: 'a ' }), 'b')).toEqual(['a', 'b']);
    expect(await pieces(normalizer({ type: 'Nmt' }), 'a\u200bb\u0007')).toEqual(['a', 'b']);
  });
});
