import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load.ts';
import { readSentencePieces } from '../../src/text/sentencepiece.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';

type Fields = Record<string, string | number | readonly string[] | readonly number[]>;
interface Case {
  text: string;
  ids: number[];
  fast_ids?: number[];
}

const families = await readFixtureJson<Record<string, { folder: string; cases: Case[] }>>('families/tokenizers.json');
const ofGguf = (fields: Fields, vocabSize = 1000) => {
  const named = Object.entries(fields).map(([name, value]) => [`tokenizer.ggml.${name}`, value] as const);
  return loadTokenizer({ gguf: { fields: new Map(named), file: 'tiny.gguf' } }, vocabSize);
};
const [normal, unknown, control, userDefined] = [1, 2, 3, 4];

interface TokenizerJson {
  model: { vocab: Record<string, number>; merges: (string | string[])[] };
  added_tokens: { id: number; content: string; special: boolean }[];
}

/** The metadata of a byte-level tokenizer.json. */
async function byteLevel(folder: string): Promise<Fields> {
  const { model, added_tokens } = await readFixtureJson<TokenizerJson>(`families/${folder}/tokenizer.json`);
  const tokens: string[] = [];
  for (const [piece, id] of Object.entries(model.vocab)) tokens[id] = piece;
  for (const { id, content } of added_tokens) tokens[id] = content;
  const special = new Set(added_tokens.map(({ id }) => id));
  return {
    model: 'gpt2',
    tokens: Array.from(tokens, (piece, id) => piece ?? `[PAD${id}]`),
    token_type: Array.from(tokens, (_, id) => (special.has(id) ? control! : normal!)),
    merges: model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' '))),
  };
}

describe("llama.cpp's vocabularies", () => {
  test.each([
    ['gpt-neo', 'gpt-2'],
    ['gpt-neox', 'olmo'],
  ])('%s: bytes, cut as %s', async (name, pre) => {
    const { folder, cases } = families[name]!;
    const tokenizer = await ofGguf({ ...(await byteLevel(folder)), pre });
    for (const { text, ids } of cases) expect(tokenizer.encode(text, { special: true }), text).toEqual(ids);
  });

  test('qwen2: bytes, cut as its own', async () => {
    const { folder, cases } = families.qwen2!;
    const tokenizer = await ofGguf({ ...(await byteLevel(folder)), pre: 'qwen2', eos_token_id: 297 });
    // Where nothing is to be composed, which llama.cpp does not do.
    const composed = cases.filter(({ text }) => text.normalize('NFC') === text);
    expect(composed.length).toBeGreaterThan(25);
    for (const { text, ids } of composed) expect(tokenizer.encode(text, { special: true }), text).toEqual(ids);
    expect(tokenizer.eosId).toBe(297);
  });

  test('digits alone, by three, or together', async () => {
    const fields = await byteLevel('gpt-neo');
    const tokens = [...(fields.tokens as string[]), '12', '123', '1234'];
    const merges = [...(fields.merges as string[]), '1 2', '12 3', '123 4'];
    const lengths = async (pre: string) => {
      const tokenizer = await ofGguf({ ...fields, tokens, merges, token_type: [], pre });
      return ['12', '1234'].map((digits) => tokenizer.encode(digits).length);
    };
    expect(await lengths('gpt-2')).toEqual([1, 1]);
    for (const pre of ['llama-bpe', 'falcon3', 'pixtral']) expect(await lengths(pre), pre).toEqual([1, 2]);
    expect(await lengths('smollm')).toEqual([2, 4]);
    expect(await lengths('qwen2')).toEqual([2, 4]);
  });

  test('llama: SentencePiece, by the scores of its pieces', async () => {
    const { folder, cases } = families.llama!;
    const { pieces } = readSentencePieces(await readFixture(`families/${folder}/tokenizer.model`), 'tokenizer.model');
    const fields: Fields = {
      model: 'llama',
      tokens: pieces.map(({ piece }) => piece),
      scores: pieces.map(({ score }) => score),
      token_type: pieces.map(({ kind }) => kind),
      bos_token_id: 1,
      eos_token_id: 2,
      unknown_token_id: 0,
    };
    const tokenizer = await ofGguf(fields);
    for (const { text, ids, fast_ids } of cases) {
      expect([ids, fast_ids], text).toContainEqual(tokenizer.inputs(text).ids);
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.replaceAll('▁', ' '));
    }
    expect(tokenizer).toMatchObject({ bosId: 1, eosId: 2, unkId: 0 });
    const plain = await ofGguf({ ...fields, add_bos_token: 0, add_eos_token: 1, add_space_prefix: 0 });
    const { ids } = plain.inputs('a');
    expect(ids).toHaveLength(2);
    expect(ids[1]).toBe(2);
    expect(plain.spelling(ids[0]!)).toBe('a');
  });

  test('bert: WordPiece, with marks where words begin', async () => {
    const { folder, cases } = families['bert-uncased']!;
    const lines = new TextDecoder()
      .decode(await readFixture(`families/${folder}/vocab.txt`))
      .split('\n')
      .filter(Boolean);
    const isSpecial = (id: number) => id < 5;
    const tokens = lines.map((piece, id) =>
      isSpecial(id) ? piece : piece.startsWith('##') ? piece.slice(2) : `▁${piece}`,
    );
    const fields: Fields = {
      model: 'bert',
      tokens,
      token_type: lines.map((_, id) => (isSpecial(id) ? control! : normal!)),
      unknown_token_id: 1,
      bos_token_id: 2,
      seperator_token_id: 3,
      mask_token_id: 4,
      padding_token_id: 0,
    };
    const tokenizer = await ofGguf(fields);
    for (const { text, ids, fast_ids = ids } of cases) expect(tokenizer.inputs(text).ids, text).toEqual(fast_ids);
    expect(tokenizer).toMatchObject({ unkId: 1, maskId: 4, padId: 0 });
    await expect(ofGguf({ ...fields, seperator_token_id: -1 })).rejects.toThrow('tokenizer.ggml.seperator_token_id');
  });

  test('tokens of the user are found whole, whether special tokens are read or not', async () => {
    const fields = await byteLevel('gpt-neo');
    const tokens = [...(fields.tokens as string[]), '<tool>'];
    const token_type = [...(fields.token_type as number[]), userDefined!];
    const tokenizer = await ofGguf({ ...fields, tokens, token_type });
    expect(tokenizer.encode('a<tool>')).toContain(tokens.length - 1);
  });
});

describe('what is wrong with them is told', () => {
  test.each<[string, Fields, string, RegExp]>([
    [
      'a model that nobody knows',
      { model: 'plamo2' },
      'unsupported-checkpoint',
      /model in tiny\.gguf is "plamo2"; expected "gpt2"/,
    ],
    [
      'cuts that nobody knows',
      { pre: 'klingon' },
      'unsupported-checkpoint',
      /pre in tiny\.gguf is "klingon"; expected "default"/,
    ],
    ['scores missing', { model: 'llama' }, 'bad-checkpoint', /scores in tiny\.gguf is missing/],
    [
      'too few scores',
      { model: 'llama', scores: [1] },
      'bad-checkpoint',
      /scores in tiny\.gguf has not one number for each/,
    ],
    ['a score that is none', { model: 'llama', scores: [0, 0, Number.NaN] }, 'bad-checkpoint', /"b" has the score NaN/],
    ['no token to begin with', { model: 'bert' }, 'unsupported-checkpoint', /cls_token_id in tiny\.gguf is missing/],
    ['kinds of other tokens', { token_type: [1] }, 'bad-checkpoint', /token_type in tiny\.gguf has not one number/],
  ])('%s', async (_, fields, code, expected) => {
    const tiny = { model: 'gpt2', tokens: ['<unk>', 'a', 'b'], token_type: [unknown!, normal!, normal!], merges: [] };
    const refusal = { code, message: expect.stringMatching(expected) };
    await expect(ofGguf({ ...tiny, ...fields })).rejects.toEqual(expect.objectContaining(refusal));
  });
});
