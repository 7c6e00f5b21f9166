import { describe, expect, test } from 'vitest';
import type { TokenizerFiles } from '../../src/load/checkpoint.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import type { Truncation } from '../../src/text/options.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';

interface Expected {
  ids: number[];
  /** What the tokenizers of tokenizer.json give where those written in Python give something else. */
  fast_ids?: number[];
  token_type_ids?: number[];
  attention_mask?: number[];
}
interface Cut {
  truncation?: Truncation;
  max_length?: number;
}
interface Family {
  folder: string;
  cases: (Expected & { text: string; decoded: string })[];
  pairs: (Expected & { first: string; second: string })[];
  truncation: (Expected & Cut & { first: string; second?: string })[];
}

const families = await readFixtureJson<Record<string, Family>>('families/tokenizers.json');
const readText = async (path: string) =>
  new TextDecoder().decode(await readFixture(`families/${path}`).catch(() => new Uint8Array())) || undefined;
/** More rows than any of the vocabularies has pieces. */
const vocabSize = 1000;

const configs = async (folder: string): Promise<TokenizerFiles> => ({
  config: await readText(`${folder}/tokenizer_config.json`),
  specialTokens: await readText(`${folder}/special_tokens_map.json`),
  addedTokens: await readText(`${folder}/added_tokens.json`),
});

describe.each(Object.entries(families).filter(([name]) => name !== 'marian'))('%s, by tokenizer.json', (_, family) => {
  const { folder, cases, pairs, truncation } = family;
  const load = async () =>
    loadTokenizer({ tokenizerJson: await readText(`${folder}/tokenizer.json`), ...(await configs(folder)) }, vocabSize);

  test('texts and back', async () => {
    const tokenizer = await load();
    expect(cases.length).toBeGreaterThanOrEqual(40);
    for (const { text, ids, fast_ids = ids, decoded } of cases) {
      expect(tokenizer.encode(text, { special: true }), text).toEqual(fast_ids);
      expect(tokenizer.inputs(text).ids).toEqual(fast_ids);
      expect(tokenizer.decode(ids, { special: false, cleanup: false }), text).toBe(decoded);
      const stream = tokenizer.stream({ special: false });
      expect(ids.map(stream.push).join('') + stream.flush()).toBe(tokenizer.decode(ids, { special: false }));
    }
  });

  test('pairs, and what they are cut to', async () => {
    const tokenizer = await load();
    expect(pairs.length + truncation.length).toBeGreaterThan(15);
    for (const { first, second, token_type_ids, attention_mask, ids, fast_ids = ids, ...cut } of [
      ...pairs,
      ...truncation,
    ]) {
      if (second === '') continue; // one text for some, two for others
      const { truncation, max_length } = cut as Partial<Cut>;
      const inputs = tokenizer.inputs(first, { pair: second, maxLength: max_length, truncation });
      const isText = (_: unknown, i: number) => attention_mask?.[i] !== 0; // no padding
      expect(inputs.ids, JSON.stringify([first, second, cut])).toEqual(fast_ids.filter(isText));
      if (token_type_ids && fast_ids === ids) expect(inputs.types).toEqual(token_type_ids.filter(isText));
    }
  });
});

const readBytes = (path: string) => readFixture(`families/${path}`);

describe('of other files', () => {
  /** What the tokenizers written in Python give, or those of tokenizer.json: files other than that may give either. */
  const expectEither = (found: number[], { ids, fast_ids }: Expected, text: string) =>
    expect(fast_ids === undefined ? [ids] : [ids, fast_ids], text).toContainEqual(found);

  test.each<[string, (folder: string) => Promise<TokenizerFiles>]>([
    ['bert-uncased', async (folder) => ({ wordPieces: await readText(`${folder}/vocab.txt`) })],
    ['bert-cased', async (folder) => ({ wordPieces: await readText(`${folder}/vocab.txt`) })],
    ['roberta', async (folder) => bytePairs(folder)],
    ['bart', async (folder) => bytePairs(folder)],
    ['gpt-neo', async (folder) => bytePairs(folder)],
    ['t5', async (folder) => ({ sentencePieces: await readBytes(`${folder}/spiece.model`), modelType: 't5' })],
    ['llama', async (folder) => ({ sentencePieces: await readBytes(`${folder}/tokenizer.model`), modelType: 'llama' })],
    ['marian', marianFiles],
  ])('%s', async (name, files) => {
    const { folder, cases, pairs, truncation } = families[name]!;
    const tokenizer = await loadTokenizer({ ...(await configs(folder)), ...(await files(folder)) }, vocabSize);
    for (const { text, decoded, ...expected } of cases) {
      expectEither(tokenizer.inputs(text).ids, expected, text);
      expect(tokenizer.decode(expected.ids, { special: false, cleanup: false }), text).toBe(decoded);
    }
    for (const { first, second, attention_mask, ...expected } of [...pairs, ...truncation]) {
      if (second === '') continue;
      const { truncation, max_length } = expected as Partial<Cut>;
      const isText = (_: unknown, i: number) => attention_mask?.[i] !== 0;
      const wanted = { ids: expected.ids.filter(isText), fast_ids: expected.fast_ids?.filter(isText) };
      const found = tokenizer.inputs(first, { pair: second, maxLength: max_length, truncation }).ids;
      expectEither(found, wanted, JSON.stringify([first, second, truncation, max_length]));
    }
  });

  async function bytePairs(folder: string): Promise<TokenizerFiles> {
    return { vocab: await readText(`${folder}/vocab.json`), merges: await readText(`${folder}/merges.txt`) };
  }

  async function marianFiles(folder: string): Promise<TokenizerFiles> {
    const [source, target] = await Promise.all(['source', 'target'].map((name) => readBytes(`${folder}/${name}.spm`)));
    return { source, target, vocab: await readText(`${folder}/vocab.json`) };
  }
});
