import { describe, expect, test } from 'vitest';
import type { Progress } from '../../src/load/checkpoint.ts';
import { parseJson } from '../../src/load/files.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { readFixture, readModelFile } from '../fixtures.ts';
import { expectSame, readAll } from './read.ts';
import {
  encodeSafetensors,
  encodeValues,
  files,
  headerOf,
  shardedFiles,
  type TensorData,
  tinyCheckpoint,
  tinyFiles,
} from './tiny-checkpoint.ts';

const own = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;

/** A fixture's files, its weights under the name given. */
async function fixture(folder: string, weights: string): Promise<File[]> {
  return files({
    'config.json': own(await readFixture(`${folder}/config.json`)),
    [weights]: own(await readFixture(`${folder}/${weights}`)),
  });
}

const tinyGpt2 = async (weights: string) => openCheckpoint(await fixture('tiny-gpt2', weights));

/** [rows, columns] of a tensor as it lies in the checkpoint, without the reader under test. */
function plainly({ shape, bytes }: TensorData, transposed: boolean): number[] {
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const [nIn = 1, nOut = 1] = shape;
  if (!transposed) return [...values];
  return Array.from(values, (_, i) => values[(i % nIn) * nOut + Math.floor(i / nIn)]!);
}

describe('weights as they are in the file', () => {
  test('rows are outputs: Conv1D weights are turned round, nothing else is', async () => {
    const tiny = tinyCheckpoint({ nLayer: 2 });
    const checkpoint = await openCheckpoint(tinyFiles(tiny));
    const weights = await readAll(checkpoint);
    for (const { name, storedTransposed } of gpt2Plan(checkpoint.config).weights) {
      expect([...weights.get(name)!], name).toEqual(plainly(tiny.tensors.get(name)!, storedTransposed));
    }
    expect(weights.get('h.0.attn.c_attn.weight')![1]).not.toBe(weights.get('h.0.attn.c_attn.weight')![24]);
  });

  test.each(['F32', 'F16', 'BF16'] as const)('%s, with values that all of them hold', async (dtype) => {
    const f32 = await readAll(await openCheckpoint(tinyFiles(tinyCheckpoint())));
    const checkpoint = await openCheckpoint(tinyFiles(tinyCheckpoint({ dtype })));
    expect(checkpoint.storedAs).toBe(dtype.toLowerCase());
    expectSame(await readAll(checkpoint), f32);
  });

  test.each([0, 1, 2, 3, 5])('tensors that begin at any offset (header padded by %i)', async (padding) => {
    for (const dtype of ['F32', 'F16'] as const) {
      const { config, tensors } = tinyCheckpoint({ dtype });
      const moved = encodeSafetensors(tensors, undefined, padding);
      const contents = { 'config.json': JSON.stringify(config), 'model.safetensors': moved };
      const expected = await readAll(await openCheckpoint(tinyFiles({ config, tensors })));
      expectSame(await readAll(await openCheckpoint(files(contents))), expected);
    }
  });

  test('with the prefix of old checkpoints, and shards', async () => {
    const tiny = tinyCheckpoint({ nLayer: 2 });
    const expected = await readAll(await openCheckpoint(tinyFiles(tiny)));
    const prefixed = tinyFiles(tinyCheckpoint({ nLayer: 2, prefix: 'transformer.' }));
    expectSame(await readAll(await openCheckpoint(prefixed)), expected);
    for (const shards of [1, 2, 5]) {
      expectSame(await readAll(await openCheckpoint(files(shardedFiles(tiny, shards)))), expected);
    }
  });

  test('a header of more than one request', async () => {
    const { config, tensors } = tinyCheckpoint();
    const expected = await readAll(await openCheckpoint(tinyFiles({ config, tensors })));
    const long = {
      'config.json': JSON.stringify(config),
      'model.safetensors': encodeSafetensors(tensors, undefined, 99_999),
    };
    expectSame(await readAll(await openCheckpoint(files(long))), expected);
  });

  test('in pieces of whole rows, where a weight is larger than one', async () => {
    const { config, tensors } = tinyCheckpoint({ nEmbd: 600, vocabSize: 2500 });
    const checkpoint = await openCheckpoint(tinyFiles({ config, tensors }));
    const spec = gpt2Plan(checkpoint.config).weights;
    for (const name of ['wte.weight', 'h.0.mlp.c_fc.weight']) {
      const weight = spec.find((candidate) => candidate.name === name)!;
      const expected = plainly(tensors.get(name)!, weight.storedTransposed);
      let wrong = 0;
      let read = 0;
      let pieces = 0;
      for await (const piece of checkpoint.read(weight)) {
        expect(piece.length % weight.columns).toBe(0);
        expect(piece.byteLength).toBeLessThanOrEqual(4 << 20);
        for (const value of piece) if (value !== expected[read++]) wrong += 1;
        pieces += 1;
      }
      expect(pieces).toBeGreaterThan(1);
      expect([read, wrong]).toEqual([expected.length, 0]);
    }
  });
});

describe("Python's words for what JSON has none for", () => {
  const { config, tensors } = tinyCheckpoint();
  const words = '"attn_limit":[0.0,Infinity,-Infinity,NaN],"a\\"b":"NaN, -Infinity","c":{"d": NaN ,"e":"\\\\"}';
  const contents = {
    'config.json': JSON.stringify(config).replace('{', `{${words},`),
    'tokenizer.json': '{"version":"1.0"}',
    'model.safetensors': encodeSafetensors(
      tensors,
      JSON.stringify(headerOf(tensors)).replace(
        '{',
        '{"__metadata__":{"loss":NaN,"best":"Infinity","worst":-Infinity},',
      ),
    ),
  };

  test('in config.json and the header of safetensors', async () => {
    const expected = await readAll(await openCheckpoint(tinyFiles()));
    expectSame(await readAll(await openCheckpoint(files(contents))), expected);
  });

  test('in an index', async () => {
    const sharded = shardedFiles(tinyCheckpoint());
    const index = 'model.safetensors.index.json';
    sharded[index] = (sharded[index] as string).replace('"metadata":{}', '"metadata":{"total_size":NaN,"x":-Infinity}');
    expect(sharded[index]).toContain('-Infinity');
    const expected = await readAll(await openCheckpoint(tinyFiles()));
    expectSame(await readAll(await openCheckpoint(files(sharded))), expected);
  });

  test('strings keep the words, values get the numbers', () => {
    expect(parseJson(`{${words}}`, 'x')).toEqual({
      attn_limit: [0, Infinity, -Infinity, NaN],
      'a"b': 'NaN, -Infinity',
      c: { d: NaN, e: '\\' },
    });
    expect(parseJson('NaN', 'x')).toBeNaN();
    expect(parseJson('[NaN,"NaN","x NaN y"]', 'x')).toEqual([NaN, 'NaN', 'x NaN y']);
    const long = `"${'NaN, '.repeat(2_000_000)}"`;
    expect(parseJson(`[${long}, NaN]`, 'x')).toEqual([JSON.parse(long), NaN]);
  });
});

describe('tiny-gpt2', () => {
  test('F16 without and with prefix, masks and a head beside a tied wte: the same', async () => {
    const f16 = await readAll(await tinyGpt2('model-f16.safetensors'));
    const old = await readAll(await tinyGpt2('model-old-prefixed-f16.safetensors'));
    expectSame(old, f16);
    expect(old.size).toBe(40);
  });

  test.each([
    ['model-f16.safetensors', 'F16'],
    ['model-bf16.safetensors', 'BF16'],
  ])('%s is the F32 file rounded', async (file, dtype) => {
    const f32 = await readAll(await tinyGpt2('model.safetensors'));
    const rounded = await readAll(await tinyGpt2(file));
    const [epsilon, smallest] = dtype === 'F16' ? [2 ** -11, 2 ** -25] : [2 ** -8, 2 ** -133];
    for (const [name, values] of f32) {
      const other = rounded.get(name)!;
      const index = values.findIndex(
        (value, i) => !(Math.abs(value - other[i]!) <= Math.abs(value) * epsilon + smallest),
      );
      expect(index, name).toBe(-1);
    }
  });

  test('what it says of itself', async () => {
    const checkpoint = await tinyGpt2('model-old-prefixed-f16.safetensors');
    expect(checkpoint.storedAs).toBe('f16');
    // Weights alone: the masks and the second copy of wte are not read.
    const values = gpt2Plan(checkpoint.config).weights.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
    expect(checkpoint.bytes).toBe(2 * values);
    expect((await tinyGpt2('model-bf16.safetensors')).storedAs).toBe('bf16');
  });

  test('tokenizer files', async () => {
    expect(await (await tinyGpt2('model.safetensors')).tokenizerFiles()).toEqual({});
    const text = async (name: string) => new TextDecoder().decode(await readFixture(`tiny-gpt2/${name}`));
    const [vocab, merges, tokenizerJson] = [
      await text('vocab.json'),
      await text('merges.txt'),
      await text('tokenizer.json'),
    ];
    const old = files({ 'vocab.json': vocab, 'merges.txt': merges });
    expect(await (await openCheckpoint([...tinyFiles(), ...old])).tokenizerFiles()).toEqual({ vocab, merges });
    const all = [...tinyFiles(), ...old, ...files({ 'tokenizer.json': tokenizerJson })];
    expect(await (await openCheckpoint(all)).tokenizerFiles()).toEqual({ tokenizerJson });
  });
});

test('nano-sort: an untied head', async () => {
  const weights = await readAll(await openCheckpoint(await fixture('nano-sort', 'model.safetensors')));
  expect(weights.get('lm_head.weight')).toHaveLength(3 * 48);
  expect(weights.get('lm_head.weight')).not.toEqual(weights.get('wte.weight'));
});

test('tiny-tales', async () => {
  const contents = {
    'config.json': own(await readModelFile('tiny-tales/config.json')),
    'model.safetensors': own(await readModelFile('tiny-tales/model.safetensors')),
  };
  const checkpoint = await openCheckpoint(files(contents));
  expect(checkpoint.config.nLayer).toBe(6);
  expect((await readAll(checkpoint)).get('wte.weight')).toHaveLength(50257 * 128);
});

describe('what a checkpoint may hold beside the model', () => {
  const withExtra = async (name: string) => {
    const tiny = tinyCheckpoint();
    tiny.tensors.set(name, { dtype: 'F32', shape: [2], bytes: new Uint8Array(8) });
    return openCheckpoint(tinyFiles(tiny));
  };

  test.each([
    'score.weight',
    'h.0.attn.bias',
    'h.0.attn.masked_bias',
    'lm_head.weight',
    'multiple_choice_head.summary.bias',
  ])('%s is left alone', async (name) => {
    const plain = await openCheckpoint(tinyFiles());
    const checkpoint = await withExtra(name);
    expect(checkpoint.bytes).toBe(plain.bytes);
    expectSame(await readAll(checkpoint), await readAll(plain));
  });
});

describe('reading', () => {
  test('in another order than the file, twice, and two weights at once', async () => {
    const expected = await readAll(await openCheckpoint(tinyFiles(tinyCheckpoint({ nLayer: 2 }))));
    const checkpoint = await openCheckpoint(tinyFiles(tinyCheckpoint({ nLayer: 2 })));
    const weights = checkpoint.check(gpt2Plan(checkpoint.config).weights);
    const first = async (weight: (typeof weights)[number]) => {
      for await (const piece of checkpoint.read(weight)) return piece.slice();
      return undefined;
    };
    for (const weight of [...weights].reverse()) expect(await first(weight)).toEqual(expected.get(weight.name));
    const together = await Promise.all([...weights, ...weights].map(first));
    expect(together).toEqual([...weights, ...weights].map((weight) => expected.get(weight.name)));
  });

  test('check gives the weights in the order of the file', async () => {
    const tiny = tinyCheckpoint();
    tiny.tensors = new Map([...tiny.tensors].reverse());
    const checkpoint = await openCheckpoint(tinyFiles(tiny));
    const names = checkpoint.check(gpt2Plan(checkpoint.config).weights).map((weight) => weight.name);
    expect(names).toEqual([...tiny.tensors.keys()]);
  });

  test('progress: from 0 to the total, never back, reading again included', async () => {
    const events: Progress[] = [];
    const tiny = tinyCheckpoint({ nEmbd: 256, vocabSize: 5000 });
    const checkpoint = await openCheckpoint(tinyFiles(tiny), { onProgress: (event) => events.push(event) });
    expect(events).toEqual([{ stage: 'config', loaded: 0, total: checkpoint.bytes, file: 'config.json' }]);
    await readAll(checkpoint);
    await readAll(checkpoint);
    const loaded = events.map((event) => event.loaded);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
    expect(loaded.length).toBeGreaterThan(5);
    expect(loaded.filter((bytes) => bytes === checkpoint.bytes)).toHaveLength(1);
    expect(events.at(-1)).toEqual({
      stage: 'weights',
      loaded: checkpoint.bytes,
      total: checkpoint.bytes,
      file: 'model.safetensors',
    });
    expect(new Set(events.map((event) => event.total)).size).toBe(1);
  });

  test('abort: before opening, and between two pieces', async () => {
    const reason = new Error('enough');
    await expect(openCheckpoint(tinyFiles(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const checkpoint = await openCheckpoint(tinyFiles(tinyCheckpoint({ nEmbd: 64, vocabSize: 20_000 })));
    const abort = new AbortController();
    const read = async () => {
      for await (const _ of checkpoint.read(checkpoint.check(gpt2Plan(checkpoint.config).weights)[0]!, abort.signal)) {
        abort.abort(reason);
      }
    };
    await expect(read()).rejects.toBe(reason);
    expect((await readAll(checkpoint)).size).toBe(16);
  });
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%s is no weight', async (value) => {
  for (const [name, dtype] of [
    ['wpe.weight', 'F32'],
    ['h.0.mlp.c_fc.weight', 'F16'],
    ['ln_f.bias', 'BF16'],
  ] as const) {
    const tiny = tinyCheckpoint({ dtype });
    const tensor = tiny.tensors.get(name)!;
    const size = dtype === 'F32' ? 4 : 2;
    tensor.bytes.set(encodeValues(new Float32Array([value]), dtype), tensor.bytes.length - size);
    const found = readAll(await openCheckpoint(tinyFiles(tiny)));
    await expect(found).rejects.toMatchObject({ code: 'bad-checkpoint' });
    await expect(found).rejects.toThrow(`${name} in model.safetensors holds ${value}`);
  }
});
