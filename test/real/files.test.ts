import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import { type Files, readText } from '../../src/load/files.ts';
import { readGguf } from '../../src/load/gguf.ts';
import { readDirectory } from '../../src/load/safetensors.ts';
import { locate } from '../../src/load/source.ts';
import { readTokenizerFiles } from '../../src/load/tokenizer-files.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { readFixtureJson } from '../fixtures.ts';
import { expectedOfMiniLm, folderOf, hub, isThere, minilm, published, smollm2, tensorsOfMiniLm } from './models.ts';

let site: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  site = await serve(hub);
});
afterAll(() => site.close());

describe.each(published.filter(({ id }) => isThere(id)))('$id', ({ id, files }) => {
  test.each(Object.entries(files))('%s is the file that was published', async (file, expected) => {
    const hash = createHash('sha256');
    await pipeline(createReadStream(folderOf(id) + file), hash);
    expect(hash.digest('hex')).toBe(expected);
  });
});

/** The files of a model from its folder, and by its id from a server that is laid out as a hub. */
const places: [string, (id: string) => Promise<Files>][] = [
  ['from its folder', async (id) => (await locate(folderOf(id))).files],
  ['by its id', async (id) => (await locate(id, { endpoint: site.url, cache: false })).files],
];

describe.skipIf(!isThere(minilm)).each(places)('all-MiniLM-L6-v2 %s', (_, open) => {
  test('holds a BERT of 6 layers in F32', async () => {
    const files = await open(minilm);
    const tensors = (await readDirectory(files, 'model.safetensors'))!;
    const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
    expect(new Set(tensors.map(({ dtype }) => dtype)).has('F32')).toBe(true);
    expect(shapes.get('embeddings.word_embeddings.weight')).toEqual([30522, 384]);
    expect(shapes.get('embeddings.position_embeddings.weight')).toEqual([512, 384]);
    expect(shapes.get('encoder.layer.5.intermediate.dense.weight')).toEqual([1536, 384]);
    expect(shapes.has('encoder.layer.6.intermediate.dense.weight')).toBe(false);
  });

  test('is a folder of sentence-transformers', async () => {
    const files = await open(minilm);
    const json = async (file: string) => JSON.parse((await readText(files, file))!);
    expect((await json('modules.json')).map(({ path }: { path: string }) => path)).toEqual([
      '',
      '1_Pooling',
      '2_Normalize',
    ]);
    expect(await json('1_Pooling/config.json')).toMatchObject({ pooling_mode_mean_tokens: true });
    expect(await json('sentence_bert_config.json')).toMatchObject({ max_seq_length: 256 });
    expect((await json('tokenizer.json')).truncation).toMatchObject({ max_length: 128 }); // and it does not hold
  });
});

describe.skipIf(!isThere(minilm)).each(places)('the tokenizer of all-MiniLM-L6-v2 %s', (_, open) => {
  test('gives the ids of all texts, cut where its folder says', async () => {
    const { texts, ids, max_seq_length } = await expectedOfMiniLm();
    const tokenizer = await loadTokenizer(await readTokenizerFiles(await open(minilm), 'bert'), 30522);
    for (const [i, text] of texts.entries()) {
      expect(tokenizer.inputs(text, { maxLength: max_seq_length }).ids, text).toEqual(ids[i]);
    }
  });
});

test('the expected values are of all texts', async () => {
  const { texts, ids, hidden, max_seq_length } = await expectedOfMiniLm();
  const tensor = await tensorsOfMiniLm();
  expect(texts).toHaveLength(44);
  expect(ids.map((list) => [list[0], list.at(-1)])).toEqual(texts.map(() => [101, 102])); // [CLS], [SEP]
  expect(Math.max(...ids.map((list) => list.length))).toBe(max_seq_length);
  expect(tensor('embeddings').shape).toEqual([44, 384]);
  for (const i of hidden) expect(tensor(`hidden.${i}`).shape).toEqual([ids[i]!.length, 384]);
});

describe.skipIf(!isThere(smollm2)).each(places)('SmolLM2-135M-Instruct %s', (_, open) => {
  test('holds a Llama of 30 layers', async () => {
    const { fields, tensors } = (await readGguf(await open(smollm2), 'SmolLM2-135M-Instruct.Q4_1.gguf'))!;
    expect(fields.get('general.architecture')).toBe('llama');
    expect(fields.get('llama.block_count')).toBe(30);
    expect(fields.get('tokenizer.ggml.pre')).toBe('smollm');
    expect(new Set(tensors.map(({ dtype }) => dtype))).toEqual(new Set(['F32', 'Q4_1', 'Q8_0']));
  });

  test('has a vocabulary that gives the ids of llama.cpp', async () => {
    const file = 'SmolLM2-135M-Instruct.Q4_1.gguf';
    const { fields } = (await readGguf(await open(smollm2), file))!;
    const vocabulary = await loadTokenizer({ gguf: { fields, file } }, 49152);
    const { tokenizer } = await readFixtureJson<{
      tokenizer: { text: string; ids: number[]; ids_with_special: number[] }[];
    }>('real/smollm2/expected.json');
    expect(tokenizer).toHaveLength(44);
    for (const { text, ids, ids_with_special } of tokenizer) {
      expect(vocabulary.encode(text), text).toEqual(ids);
      expect(vocabulary.encode(text, { special: true }), text).toEqual(ids_with_special);
    }
    expect(vocabulary).toMatchObject({ bosId: 1, eosId: 2 });
  });
});
