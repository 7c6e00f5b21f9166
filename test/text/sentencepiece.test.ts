import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load.ts';
import { message, model, number, piece, text } from './protobuf.ts';

/** A small model of pieces: what a file of each family begins with, and a few words. */
const unigram = (first: [string, number][], ...more: ReturnType<typeof piece>[]) =>
  model(...first.map(([content, kind]) => piece(content, 0, kind)), ...words, ...more);
const words = ['▁', 'a', 'b', '▁a', '▁ab', 'é'].map((content, i) => piece(content, -3 + i / 10));

describe('the ids of a SentencePiece model depend on the family', () => {
  const load = (sentencePieces: Uint8Array, modelType: string, config?: object) =>
    loadTokenizer({ sentencePieces, modelType, ...(config && { config: JSON.stringify(config) }) }, 1000);

  test('T5: as they stand; <extra_id_0> is the last', async () => {
    const t5 = [
      ['<pad>', 3],
      ['</s>', 3],
      ['<unk>', 2],
    ] as [string, number][];
    const tokenizer = await load(unigram(t5), 't5');
    expect(tokenizer.inputs('ab a?').ids).toEqual([7, 6, 2, 1]);
    expect(tokenizer.inputs('a', { pair: 'b' }).ids).toEqual([6, 1, 3, 5, 1]);
    expect(tokenizer.encode('<extra_id_0>a', { special: true })).toEqual([108, 6, 1]);
    expect(tokenizer.encode('<extra_id_99>', { special: true })).toEqual([9, 1]);
    expect(tokenizer).toMatchObject({ padId: 0, eosId: 1, unkId: 2 });
    const few = await load(unigram(t5), 'mt5', { extra_ids: 2 });
    expect(few.encode('<extra_id_1><extra_id_0>', { special: true })).toEqual([9, 10, 1]);
  });

  test("XLM-RoBERTa: fairseq's four come first, <mask> last", async () => {
    const tokenizer = await load(
      unigram([
        ['<unk>', 2],
        ['<s>', 3],
        ['</s>', 3],
      ]),
      'xlm-roberta',
    );
    expect(tokenizer.inputs('ab a?').ids).toEqual([0, 8, 7, 3, 2]);
    expect(tokenizer.inputs('a', { pair: 'b' }).ids).toEqual([0, 7, 2, 2, 4, 6, 2]);
    expect(tokenizer.inputs('a', { pair: 'b' }).types).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(tokenizer.inputs('a <mask>b').ids).toEqual([0, 7, 10, 4, 6, 2]);
    expect(tokenizer).toMatchObject({ bosId: 0, padId: 1, eosId: 2, unkId: 3, maskId: 10 });
  });

  test('Pegasus: 103 further on', async () => {
    const tokenizer = await load(
      unigram([
        ['<pad>', 3],
        ['</s>', 3],
        ['<unk>', 2],
      ]),
      'pegasus',
    );
    expect(tokenizer.inputs('ab a?').ids).toEqual([110, 109, 105, 1]);
    expect(tokenizer.encode('<mask_2>a', { special: true })).toEqual([3, 109, 1]);
    expect(tokenizer).toMatchObject({ padId: 0, eosId: 1, unkId: 105 });
  });

  test('Llama: <s> before, and merges by score', async () => {
    const bytes = Array.from({ length: 256 }, (_, byte) =>
      piece(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 0, 6),
    );
    const llama = model(
      ...[piece('<unk>', 0, 2), piece('<s>', 0, 3), piece('</s>', 0, 3)],
      ...bytes,
      ...['▁', 'a', 'b', 'ab', '▁a', 'aa'].map((content, i) => piece(content, -i)),
      message(2, [number(3, 2), number(35, 1)]),
      message(3, [number(4, 0)]),
    );
    const tokenizer = await load(llama, 'llama');
    expect(tokenizer.inputs('ab').ids).toEqual([1, 259, 262]); // "ab" is wanted more than "▁a"
    expect(tokenizer.inputs('  a').ids).toEqual([1, 259, 259, 263]);
    expect(tokenizer.encode('é')).toEqual([259, 3 + 0xc3, 3 + 0xa9]);
    expect(tokenizer.decode(tokenizer.encode('é a'))).toBe('é a');
    expect(tokenizer.encode('<0xC3>')).not.toContain(3 + 0xc3);
    const other = await load(llama, 'llama', { add_bos_token: false, add_eos_token: true });
    expect(other.inputs('b').ids).toEqual([259, 261, 2]);
  });

  test('the class that tokenizer_config.json names holds', async () => {
    const t5 = unigram([
      ['<pad>', 3],
      ['</s>', 3],
      ['<unk>', 2],
    ]);
    const named = await load(t5, 'unheard-of', { tokenizer_class: 'T5Tokenizer' });
    expect(named.inputs('a').ids).toEqual([6, 1]);
  });
});

describe('what a model says of spaces', () => {
  const t5 = [
    ['<pad>', 3],
    ['</s>', 3],
    ['<unk>', 2],
  ] as [string, number][];
  const idsOf = async (sentencePieces: Uint8Array, sample: string) =>
    (await loadTokenizer({ sentencePieces, modelType: 't5' }, 1000)).encode(sample);

  test('by default they are joined, and one is put before', async () => {
    expect(await idsOf(unigram(t5), '  a   a ')).toEqual([6, 6]);
    expect(await idsOf(unigram(t5), '   ')).toEqual([]);
    expect(await idsOf(unigram(t5), 'a▁')).toEqual([6]);
  });

  test('or left, or not put', async () => {
    expect(await idsOf(unigram(t5, message(3, [number(4, 0)])), 'a  a')).toEqual([6, 3, 6]);
    expect(await idsOf(unigram(t5, message(3, [number(3, 0)])), 'a a')).toEqual([4, 6]);
  });

  test('pieces of the user are found whole, and are no text of their own', async () => {
    expect(await idsOf(unigram(t5, piece('zz', 0, 4)), 'azzb a')).toEqual([6, 9, 5, 6]);
    expect(await idsOf(unigram(t5, piece('q', 5, 5)), 'aqa')).toHaveLength(3);
  });

  test('tokens that tokenizer_config.json adds are found where they stand', async () => {
    const config = JSON.stringify({ added_tokens_decoder: { 500: { content: '<new>', normalized: true } } });
    const tokenizer = await loadTokenizer({ sentencePieces: unigram(t5), modelType: 't5', config }, 1000);
    expect(tokenizer.encode('a<new>a <new>')).toEqual([6, 500, 6, 500]);
  });

  test('a table of replacements', async () => {
    // A trie of one unit that leads nowhere: nothing is replaced.
    const table = text(2, Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0));
    expect(await idsOf(unigram(t5, message(3, [table])), 'a')).toEqual([6]);
  });
});
