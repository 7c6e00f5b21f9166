import { describe, expect, test } from 'vitest';
import type { TokenizerFiles } from '../../src/load/checkpoint.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';
import { seeded } from '../ops/mini-plan.ts';
import { float, type Message, message, model, number, piece, text } from './protobuf.ts';

type Json = Record<string, unknown>;
interface TokenizerJson extends Json {
  model: Json & { vocab: Record<string, number> | [string, number][] };
}

const bert = await readFixtureJson<TokenizerJson>('families/bert-mlm/tokenizer.json');
const t5 = await readFixtureJson<TokenizerJson>('families/t5-v1.0/tokenizer.json');
const llama = await readFixtureJson<TokenizerJson>('families/llama-gqa/tokenizer.json');
const vocabSize = 1000;

const refused = async (files: TokenizerFiles, code: string, expected: RegExp) => {
  const refusal = { code, message: expect.stringMatching(expected) };
  await expect(loadTokenizer(files, vocabSize)).rejects.toEqual(expect.objectContaining(refusal));
};
/** A tokenizer.json with other fields, of `model` too. */
const withFields = (json: TokenizerJson, { model: fields, ...more }: Json) => ({
  ...json,
  ...more,
  model: { ...json.model, ...(fields as Json) },
});
const unigram = (...entries: unknown[]) =>
  withFields(t5, { model: { vocab: [...Object.values(t5.model.vocab), ...entries] } });

describe('tokenizer.json', () => {
  const precompiled = (precompiled_charsmap: unknown) => ({
    normalizer: { type: 'Precompiled', precompiled_charsmap },
  });
  const template = (single: unknown, special_tokens: unknown = {}) => ({
    post_processor: { type: 'TemplateProcessing', single, pair: [], special_tokens },
  });
  const split = (fields: Json) => ({
    pre_tokenizer: { type: 'Split', behavior: 'Isolated', invert: false, ...fields },
  });
  const [broken, unsupported] = ['bad-checkpoint', 'unsupported-checkpoint'];

  test.each<[string, Json, string, RegExp]>([
    ['no vocabulary of words', withFields(bert, { model: { vocab: undefined } }), broken!, /model\.vocab is missing/],
    ['words in a list', withFields(bert, { model: { vocab: ['a'] } }), broken!, /model\.vocab is \["a"\]/],
    [
      'an unknown word that is unknown',
      withFields(bert, { model: { unk_token: '[NO]' } }),
      broken!,
      /unk_token is "\[NO\]"/,
    ],
    ['no unknown word', withFields(bert, { model: { unk_token: null } }), broken!, /unk_token is null/],
    [
      'a limit below 0',
      withFields(bert, { model: { max_input_chars_per_word: -1 } }),
      broken!,
      /max_input_chars_per_word is -1/,
    ],
    [
      'a prefix that is a number',
      withFields(bert, { model: { continuing_subword_prefix: 2 } }),
      broken!,
      /prefix is 2/,
    ],
    ['scores in an object', withFields(t5, { model: { vocab: { a: 1 } } }), broken!, /model\.vocab is \{"a":1\}/],
    ['a piece without a score', unigram(['zz']), broken!, /model\.vocab\[\d+\].*"zz".*score missing/],
    ['a score that is none', unigram(['zz', Number.NaN]), broken!, /"zz" has the score NaN/],
    ['a score without end', unigram(['zz', Number.POSITIVE_INFINITY]), broken!, /"zz" has the score Infinity/],
    ['a piece that is a number', unigram([7, -1]), broken!, /model\.vocab\[\d+\] is \[7,-1\]/],
    ['an entry that is no pair', unigram('zz'), broken!, /model\.vocab\[\d+\] is "zz"/],
    ['an unknown piece beyond all', withFields(t5, { model: { unk_id: 999 } }), broken!, /unk_id has the id 999/],
    ['an unknown piece that is a text', withFields(t5, { model: { unk_id: '2' } }), broken!, /unk_id has the id "2"/],
    [
      'more pieces than the model',
      unigram(...Array.from({ length: 900 }, (_, i) => [`#${i}`, -1])),
      broken!,
      /has the id 1000/,
    ],
    ['a fallback to anything', withFields(t5, { model: { byte_fallback: 1 } }), unsupported!, /byte_fallback is 1/],
    [
      'a merge of what is unknown',
      withFields(llama, { model: { merges: [['zz', 'q']] } }),
      broken!,
      /entry 0 needs "zz"/,
    ],
    ['a normalizer that is a list', withFields(bert, { normalizer: [] }), broken!, /normalizer is \[\]/],
    [
      'a normalizer that nobody knows',
      withFields(bert, { normalizer: { type: 'Rot13' } }),
      unsupported!,
      /normalizer\.type is "Rot13"/,
    ],
    [
      'lower case, perhaps',
      withFields(bert, { normalizer: { type: 'BertNormalizer', lowercase: 'yes' } }),
      unsupported!,
      /normalizer\.lowercase is "yes"/,
    ],
    [
      'a sequence of nothing',
      withFields(bert, { normalizer: { type: 'Sequence' } }),
      broken!,
      /normalizer\.normalizers is missing/,
    ],
    [
      'a replacement of nothing',
      withFields(bert, { normalizer: { type: 'Replace', content: '' } }),
      broken!,
      /normalizer\.pattern is missing/,
    ],
    [
      'a replacement without text',
      withFields(bert, { normalizer: { type: 'Replace', pattern: { String: 'a' } } }),
      broken!,
      /normalizer\.content is missing/,
    ],
    ['a table that is no base64', withFields(t5, precompiled('%%')), broken!, /precompiled_charsmap is not base64/],
    ['a table that is a number', withFields(t5, precompiled(7)), broken!, /precompiled_charsmap is 7/],
    ['a table of three bytes', withFields(t5, precompiled('AAAA')), broken!, /precompiled_charsmap has 3 bytes/],
    [
      'a table shorter than its trie',
      withFields(t5, precompiled('/////wAAAAA=')),
      broken!,
      /precompiled_charsmap has 8 bytes/,
    ],
    [
      'a pre-tokenizer that nobody knows',
      withFields(bert, { pre_tokenizer: { type: 'Knife' } }),
      unsupported!,
      /pre_tokenizer\.type is "Knife"/,
    ],
    ['a split by nothing', withFields(bert, split({ pattern: {} })), unsupported!, /pre_tokenizer\.pattern is \{\}/],
    [
      'a split by half a pattern',
      withFields(bert, split({ pattern: { Regex: '(a' } })),
      unsupported!,
      /pattern cannot be read/,
    ],
    [
      'a split that may take for ever',
      withFields(bert, split({ pattern: { Regex: '(?:a+|b)*c' } })),
      unsupported!,
      /repeats no repetition/,
    ],
    [
      'a split into anything',
      withFields(bert, split({ pattern: { String: 'a' }, behavior: 'Fold' })),
      unsupported!,
      /behavior is "Fold"/,
    ],
    [
      'a prefix now and then',
      withFields(t5, { pre_tokenizer: { type: 'Metaspace', prepend_scheme: 'often' } }),
      unsupported!,
      /prepend_scheme is "often"/,
    ],
    [
      'a post-processor that nobody knows',
      withFields(bert, { post_processor: { type: 'Stamp' } }),
      unsupported!,
      /post_processor\.type is "Stamp"/,
    ],
    ['no template', withFields(bert, template(undefined)), broken!, /post_processor\.single is missing/],
    [
      'a template of the second text alone',
      withFields(bert, template([{ Sequence: { id: 'B', type_id: 0 } }])),
      broken!,
      /single\[0\] is no text/,
    ],
    [
      'a template of a token without an id',
      withFields(bert, template([{ SpecialToken: { id: '[CLS]', type_id: 0 } }])),
      broken!,
      /special_tokens\.\[CLS\] is missing/,
    ],
    [
      'a template of a token beyond the model',
      withFields(bert, template([{ SpecialToken: { id: 'x', type_id: 0 } }], { x: { ids: [1000] } })),
      broken!,
      /post_processor has the id 1000/,
    ],
    [
      'half of what is around a text',
      withFields(bert, { post_processor: { type: 'BertProcessing', cls: ['[CLS]', 2] } }),
      broken!,
      /post_processor\.sep is missing/,
    ],
    [
      'a decoder that nobody knows',
      withFields(bert, { decoder: { type: 'Guess' } }),
      unsupported!,
      /decoder\.type is "Guess"/,
    ],
    [
      'a decoder that takes letters',
      withFields(llama, { decoder: { type: 'Strip', content: 'a' } }),
      unsupported!,
      /content is "a", expected " "/,
    ],
    ['added tokens that are words', withFields(bert, { added_tokens: ['a'] }), broken!, /added_tokens\[0\] is "a"/],
    [
      'an added token of two minds',
      withFields(bert, { added_tokens: [{ content: 'a', id: 1, special: 1 }] }),
      unsupported!,
      /special is 1/,
    ],
    [
      'an added token in the place of a word',
      withFields(bert, { added_tokens: [{ content: 'zzz', id: 5 }] }),
      broken!,
      /"zzz", has the id 5 of another/,
    ],
  ])('%s', (_, json, code, expected) => refused({ tokenizerJson: spell(json) }, code, expected));

  /** JSON as Python writes it. */
  const spell = (json: unknown) =>
    JSON.stringify(json, (_, value) =>
      typeof value === 'number' && !Number.isFinite(value) ? `#${value}` : value,
    ).replace(/"#(NaN|-?Infinity)"/g, '$1');

  test('a normalizer in a normalizer, deeper than the stack', async () => {
    const depth = 20_000;
    const deep = `${'{"type":"Sequence","normalizers":['.repeat(depth)}${']}'.repeat(depth)}`;
    const tokenizerJson = JSON.stringify({ ...bert, normalizer: 'here' }).replace('"here"', deep);
    await refused({ tokenizerJson }, 'bad-checkpoint', /cannot be read|not JSON/);
  });

  test('files beside it', async () => {
    const tokenizerJson = JSON.stringify(bert);
    const broken = 'bad-checkpoint';
    await refused({ tokenizerJson, config: '<html>' }, broken, /tokenizer_config\.json is not JSON/);
    await refused({ tokenizerJson, config: '[]' }, broken, /tokenizer_config\.json is \[\]/);
    await refused({ tokenizerJson, specialTokens: '7' }, broken, /special_tokens_map\.json is 7/);
    await refused(
      { tokenizerJson, addedTokens: '{"<new>":"7"}' },
      broken,
      /added_tokens\.json: "<new>" has the id "7"/,
    );
    const config = JSON.stringify({ added_tokens_decoder: { x: { content: '<new>' } } });
    await refused({ tokenizerJson, config }, broken, /added_tokens_decoder\.x has the id NaN/);
  });

  test('files beside it that are of another model are believed where they can be', async () => {
    const tokenizerJson = JSON.stringify(bert);
    const added_tokens_decoder = { 7: { content: '<other>' }, 1000: { content: '<far>' }, 999: { content: '<new>' } };
    const config = JSON.stringify({ added_tokens_decoder });
    const tokenizer = await loadTokenizer({ tokenizerJson, config, addedTokens: '{"<farther>":5000}' }, vocabSize);
    expect(tokenizer.encode('<new>')).toEqual([999]);
    for (const content of ['<other>', '<far>', '<farther>'])
      expect(tokenizer.encode(content).length).toBeGreaterThan(1);
    expect(tokenizer.spelling(7)).not.toBe('<other>');
  });
});

describe('vocab.txt', () => {
  test('without the tokens that every text needs', async () => {
    await refused({ wordPieces: '' }, 'bad-checkpoint', /vocab\.txt lacks "\[UNK\]"/);
    await refused({ wordPieces: '[UNK]\n[CLS]\na\n' }, 'bad-checkpoint', /vocab\.txt lacks "\[SEP\]"/);
    const lines = Array.from({ length: 1001 }, (_, i) => `w${i}`);
    await refused(
      { wordPieces: ['[UNK]', '[CLS]', '[SEP]', ...lines].join('\n') },
      'bad-checkpoint',
      /expected 0 to 999/,
    );
  });
});

describe('a SentencePiece model', async () => {
  const spiece = await readFixture('families/t5-v1.0/spiece.model');
  const broken = (sentencePieces: Uint8Array, expected: RegExp) =>
    refused({ sentencePieces, modelType: 't5' }, 'bad-checkpoint', expected);
  const words = [piece('<unk>', 0, 2), piece('</s>', 0, 3), piece('▁a', -1)];

  test.each<[string, Message[], RegExp]>([
    ['is empty', [], /has 0 pieces, of which 0 stand for the unknown/],
    ['knows nothing of the unknown', [piece('▁a', -1)], /has 1 pieces, of which 0/],
    ['knows the unknown twice', [piece('<unk>', 0, 2), piece('<oov>', 0, 2)], /has 2 pieces, of which 2/],
    ['has a piece twice', [...words, piece('▁a', -2)], /piece 3 is "▁a", which another is already/],
    ['has a score that is none', [...words, piece('b', Number.NaN)], /piece 3, "b", has the score NaN/],
    [
      'has a score without end',
      [...words, piece('b', Number.NEGATIVE_INFINITY)],
      /piece 3, "b", has the score -Infinity/,
    ],
    ['has an empty piece', [...words, piece('', 0)], /piece 3 is empty/],
    ['has a piece of an unknown kind', [...words, piece('b', 0, 9)], /piece 3, "b", is of kind 9/],
    ['has half a character', [...words, message(1, [text(1, Uint8Array.of(0xe2, 0x96))])], /piece 3 is not UTF-8/],
    ['has nothing that ends a text', [piece('<unk>', 0, 2), piece('▁a', -1)], /lacks "<\/s>"/],
  ])('that %s', (_, parts, expected) => broken(model(...parts), expected));

  test('that is cut off, or no such thing', async () => {
    for (const part of [0.1, 0.5, 0.9]) {
      await broken(spiece.slice(0, Math.floor(spiece.length * part)), /ends at byte|of which 0|ends within/);
    }
    await broken(
      Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1),
      /ends at byte 7, within a field of 4294967295 bytes/,
    );
    await broken(Uint8Array.of(0x0a, ...Array.from({ length: 12 }, () => 0xff)), /number of more than 10 bytes/);
    await broken(Uint8Array.of(0x0b), /no SentencePiece model/);
    await broken(new TextEncoder().encode('<!doctype html>'), /no SentencePiece model|ends at byte/);
  });

  test('of another type, of another family, with a broken table', async () => {
    const unsupported = (sentencePieces: Uint8Array, modelType: string, expected: RegExp) =>
      refused({ sentencePieces, modelType }, 'unsupported-checkpoint', expected);
    await unsupported(model(...words, message(2, [number(3, 4)])), 't5', /model_type is 4/);
    await unsupported(model(...words, message(2, [number(24, 1)])), 't5', /treat_whitespace_as_suffix is true/);
    await unsupported(model(...words), 'rugpt', /model_type is rugpt|"rugpt"/);
    await broken(model(...words, message(3, [text(2, Uint8Array.of(9, 9, 9, 9))])), /charsmap has 4 bytes/);
    const config = JSON.stringify({ extra_ids: -1 });
    await refused({ sentencePieces: model(...words), modelType: 't5', config }, 'bad-checkpoint', /extra_ids is -1/);
    expect(float(2, 1)).toHaveLength(5);
  });

  test('of Marian without its vocabulary', async () => {
    const source = model(...words);
    await refused({ source }, 'bad-checkpoint', /vocab\.json is missing/);
    await refused({ target: source, vocab: '{}' }, 'bad-checkpoint', /source\.spm is missing/);
    await refused({ source, vocab: '{"</s>":0}' }, 'bad-checkpoint', /vocab\.json lacks "<unk>"/);
    const vocab = '{"</s>":0,"<unk>":1,"▁a":1000}';
    await refused({ source, vocab }, 'bad-checkpoint', /vocab\.json: "▁a" has the id 1000/);
    const config = JSON.stringify({ separate_vocabs: true });
    await refused({ source, vocab, config }, 'unsupported-checkpoint', /separate_vocabs is true/);
  });
});

describe('files with anything wrong', () => {
  const next = seeded(77);
  const below = (limit: number) => Math.floor(((next() + 1) / 2) * limit);

  /** Whatever is wrong, it is a VitrineError, and what loads reads texts. */
  async function survives(files: TokenizerFiles): Promise<boolean> {
    try {
      const tokenizer = await loadTokenizer(files, vocabSize);
      for (const sample of ['The [MASK] engine, e\u0301 日本 😀.', '']) {
        const { ids } = tokenizer.inputs(sample, { pair: 'b a' });
        tokenizer.decode(ids.filter((id) => id < vocabSize));
      }
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(VitrineError);
      return false;
    }
  }

  const anything = [null, 0, -1, 1e9, 1.5, '', 'a', true, [], {}, [[]], ['a', 1], { type: 'Sequence' }];
  /** Replaces, removes or doubles one field, anywhere. */
  function spoil(json: unknown): unknown {
    if (typeof json !== 'object' || json === null || below(4) === 0) return anything[below(anything.length)];
    const keys = Object.keys(json);
    if (keys.length === 0) return anything[below(anything.length)];
    const key = keys[below(keys.length)]!;
    const copy: Json | unknown[] = Array.isArray(json) ? [...json] : { ...json };
    const fields = copy as Json;
    if (below(5) === 0) delete fields[key];
    else fields[key] = spoil(fields[key]);
    return copy;
  }

  test.each([
    ['bert-mlm', 400],
    ['roberta-mlm', 200],
    ['t5-v1.0', 60],
    ['llama-gqa', 200],
    ['qwen2', 200],
  ])('%s', async (folder, count) => {
    const json = await readFixtureJson<Json>(`families/${folder}/tokenizer.json`);
    let survivors = 0;
    for (let i = 0; i < count; i++) if (await survives({ tokenizerJson: JSON.stringify(spoil(json)) })) survivors++;
    expect(survivors).toBeGreaterThan(0);
    expect(survivors).toBeLessThan(count);
  });

  test('spiece.model', async () => {
    const whole = await readFixture('families/t5-v1.0/spiece.model');
    for (let i = 0; i < 100; i++) {
      const sentencePieces = whole.slice();
      // The pieces are at the end; what is before is mostly the table of replacements.
      for (let changes = 1 + below(3); changes > 0; changes--) {
        const at = below(2) ? below(whole.length) : Math.max(0, whole.length - 1 - below(8000));
        sentencePieces[at] = below(256);
      }
      await survives({ sentencePieces, modelType: 't5' });
    }
  });
});
