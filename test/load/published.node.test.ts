import { describe, expect, test } from 'vitest';
import { type LoadOptions, load, type Progress } from '../../src/index.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { expectSame, readAll } from './read.ts';
import { hub, serve } from './server.ts';
import {
  encodeSafetensors,
  encodeValues,
  files,
  shardedFiles,
  type TensorData,
  tinyCheckpoint,
  tinyFiles,
} from './tiny-checkpoint.ts';
import { encodeGguf, tinyGguf } from './tiny-gguf.ts';

/** Checkpoints as transformers, safetensors, llama.cpp and peft write them. */

const expected = await readAll(await openCheckpoint(tinyFiles()));

/** With one tensor under another name. */
function renamed(tensors: ReadonlyMap<string, TensorData>, from: string, to: string): Map<string, TensorData> {
  return new Map([...tensors].map(([name, tensor]) => [name === from ? to : name, tensor]));
}

const tensorOf = (dtype: string, shape: number[], bytes = 4): TensorData => ({
  dtype,
  shape,
  bytes: new Uint8Array(shape.reduce((product, axis) => product * axis, bytes)),
});

describe('a tie from either end', () => {
  test.each(['', 'transformer.'])('only lm_head.weight, as save_model may keep it (prefix %j)', async (prefix) => {
    const { config, tensors } = tinyCheckpoint({ prefix });
    const either = renamed(tensors, `${prefix}wte.weight`, 'lm_head.weight');
    const checkpoint = await openCheckpoint(tinyFiles({ config, tensors: either }));
    expectSame(await readAll(checkpoint), expected);
    expect(checkpoint.bytes).toBe((await openCheckpoint(tinyFiles())).bytes);
    for (const shards of [1, 3]) {
      const sharded = files(shardedFiles({ config, tensors: either }, shards));
      expectSame(await readAll(await openCheckpoint(sharded)), expected);
    }
  });

  test('both ends: the words count', async () => {
    const { config, tensors } = tinyCheckpoint();
    tensors.set('lm_head.weight', tensorOf('F32', [16, 8]));
    expectSame(await readAll(await openCheckpoint(tinyFiles({ config, tensors }))), expected);
  });

  test('GGUF with output.weight alone', async () => {
    const parts = tinyGguf();
    const same = await readAll(await openCheckpoint(new File([encodeGguf(parts)], 'tiny.gguf')));
    parts.tensors.find(({ name }) => name === 'token_embd.weight')!.name = 'output.weight';
    const checkpoint = await openCheckpoint(new File([encodeGguf(parts)], 'tiny.gguf'));
    expect(checkpoint.config).toMatchObject({ tieWordEmbeddings: true, vocabSize: 16 });
    expectSame(await readAll(checkpoint), same);
  });
});

describe('an index', () => {
  const { config, tensors } = tinyCheckpoint();
  const indexed = (change: (map: Record<string, string>) => void, all = tensors) => {
    const contents = shardedFiles({ config, tensors: all }, 3);
    const index = JSON.parse(contents['model.safetensors.index.json'] as string);
    change(index.weight_map);
    return { ...contents, 'model.safetensors.index.json': JSON.stringify(index) };
  };

  test('may list what no shard holds, and shards that are not there', async () => {
    for (const change of [
      (map: Record<string, string>) => void (map['lm_head.weight'] = 'model-00001-of-00003.safetensors'),
      (map: Record<string, string>) => void (map['lm_head.weight'] = 'model-00004-of-00003.safetensors'),
      (map: Record<string, string>) => void (map['h.0.attn.bias'] = 'masks/model.safetensors'),
      (map: Record<string, string>) => void (map['score.weight'] = 'model-00002-of-00003.safetensors'),
    ]) {
      expectSame(await readAll(await openCheckpoint(files(indexed(change)))), expected);
    }
  });

  test('with a tie from the other end, and the words listed all the same', async () => {
    const either = renamed(tensors, 'wte.weight', 'lm_head.weight');
    const contents = indexed((map) => {
      map['wte.weight'] = map['lm_head.weight']!;
    }, either);
    expectSame(await readAll(await openCheckpoint(files(contents))), expected);
  });

  test.each(['weights/', './', 'a/b c/', 'ü+(1)/'])('may name shards in %s', async (folder) => {
    const contents = indexed((map) => {
      for (const name of Object.keys(map)) map[name] = folder + map[name];
    });
    const moved = Object.fromEntries(
      Object.entries(contents).map(([name, content]) => {
        return [name.endsWith('.safetensors') && folder !== './' ? folder + name : name, content];
      }),
    );
    const server = await serve(moved);
    const repository = hub('owner/tiny', moved);
    const hubServer = await serve(repository.contents, repository.answer);
    expectSame(await readAll(await openCheckpoint(server.url)), expected);
    const { url: endpoint } = hubServer;
    expectSame(await readAll(await openCheckpoint('owner/tiny', { endpoint })), expected);
    await Promise.all([server.close(), hubServer.close()]);
    // Files that were dropped one by one know no folder.
    expectSame(await readAll(await openCheckpoint(files(contents))), expected);
  });
});

describe('types', () => {
  test('F64 is read, in portions', async () => {
    const double = (tensor: TensorData): TensorData => ({
      ...tensor,
      dtype: 'F64',
      bytes: new Uint8Array(Float64Array.from(new Float32Array(tensor.bytes.buffer)).buffer),
    });
    for (const size of [{}, { nEmbd: 64, vocabSize: 1000 }]) {
      const { config, tensors } = tinyCheckpoint(size);
      const single = await readAll(await openCheckpoint(tinyFiles({ config, tensors })));
      const all = new Map([...tensors].map(([name, tensor]) => [name, double(tensor)]));
      for (const padding of [0, 1, 3]) {
        const contents = {
          'config.json': JSON.stringify(config),
          'model.safetensors': encodeSafetensors(all, undefined, padding),
        };
        const checkpoint = await openCheckpoint(files(contents));
        expect(checkpoint.storedAs).toBe('f32');
        expectSame(await readAll(checkpoint), single);
      }
      const mixed = new Map([...tensors].map(([name, tensor], i) => [name, i % 2 ? tensor : double(tensor)]));
      expectSame(await readAll(await openCheckpoint(tinyFiles({ config, tensors: mixed }))), single);
    }
  });

  test('F64 beyond float32, or no number, is refused by name', async () => {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY, 1e300]) {
      const { config, tensors } = tinyCheckpoint();
      const bytes = new Uint8Array(new Float64Array(8).fill(value).buffer);
      tensors.set('ln_f.bias', { dtype: 'F64', shape: [8], bytes });
      await expect(openCheckpoint(tinyFiles({ config, tensors })).then((one) => readAll(one))).rejects.toMatchObject({
        code: 'bad-checkpoint',
        message: expect.stringContaining('ln_f.bias in model.safetensors holds'),
      });
    }
  });

  test('buffers of other types are left alone', async () => {
    for (const [dtype, bytes] of [
      ['I64', 8],
      ['BOOL', 1],
      ['U8', 1],
      ['F8_E4M3', 1],
      ['F16', 2],
    ] as const) {
      const { config, tensors } = tinyCheckpoint({ prefix: 'transformer.' });
      tensors.set('transformer.h.0.attn.bias', tensorOf(dtype, [1, 1, 8, 8], bytes));
      tensors.set('transformer.h.0.attn.masked_bias', tensorOf(dtype, [], bytes));
      expectSame(await readAll(await openCheckpoint(tinyFiles({ config, tensors }))), expected);
    }
  });
});

describe('heads that do not write', () => {
  const opening = (config: Record<string, unknown>, more: Record<string, number[]> = {}, prefix = 'transformer.') => {
    const tiny = tinyCheckpoint({ prefix });
    for (const [name, shape] of Object.entries(more)) tiny.tensors.set(name, tensorOf('F32', shape));
    return openCheckpoint(tinyFiles({ config: { ...tiny.config, ...config }, tensors: tiny.tensors }));
  };

  test.each<[string, Record<string, unknown>, Record<string, number[]>, string]>([
    [
      'sequence, by both',
      { architectures: ['GPT2ForSequenceClassification'] },
      { 'score.weight': [2, 8] },
      'classifies texts',
    ],
    [
      'sequence, by the config',
      { architectures: ['GPT2ForSequenceClassification'] },
      {},
      'is a GPT2ForSequenceClassification',
    ],
    [
      'sequence, by the tensors',
      {},
      { 'score.weight': [2, 8] },
      'holds score.weight, the head of a GPT2ForSequenceClassification',
    ],
    ['token, by the config', { architectures: ['GPT2ForTokenClassification'] }, {}, 'which labels words'],
    [
      'token, by the tensors',
      { architectures: null },
      { 'classifier.weight': [9, 8], 'classifier.bias': [9] },
      'GPT2ForTokenClassification',
    ],
    [
      'answers, by the tensors',
      { architectures: ['GPT2Model'] },
      { 'qa_outputs.weight': [2, 8], 'qa_outputs.bias': [2] },
      'GPT2ForQuestionAnswering',
    ],
    ['answers, by the config', { architectures: ['GPT2ForQuestionAnswering'] }, {}, "pipeline('question-answering')"],
    [
      'one that nobody knows',
      { architectures: ['GPT2ForSomething'] },
      {},
      'is a GPT2ForSomething; expected one that writes',
    ],
    [
      "TensorFlow's",
      { architectures: ['TFGPT2ForSequenceClassification'] },
      {},
      'is a TFGPT2ForSequenceClassification',
    ],
  ])('%s', async (_, config, tensors, message) => {
    const found = opening(config, tensors);
    await expect(found).rejects.toMatchObject({ code: 'unsupported-checkpoint' });
    await expect(found).rejects.toThrow(message);
    await expect(found).rejects.toThrow('Nothing in Vitrine runs this head');
  });

  test.each<[string, Record<string, unknown>, Record<string, number[]>]>([
    ['GPT2LMHeadModel, with a value head', { architectures: ['GPT2LMHeadModel'] }, { 'v_head.summary.weight': [1, 8] }],
    ['GPT2LMHeadModel, with a classifier beside', { architectures: ['GPT2LMHeadModel'] }, { 'score.weight': [2, 8] }],
    [
      'GPT2DoubleHeadsModel writes too',
      { architectures: ['GPT2DoubleHeadsModel'] },
      { 'multiple_choice_head.summary.weight': [1, 8] },
    ],
    [
      'the same without a word of it',
      {},
      { 'multiple_choice_head.summary.weight': [1, 8], 'multiple_choice_head.summary.bias': [1] },
    ],
    ['GPT2Model', { architectures: ['GPT2Model'] }, {}],
    ['a class of its own', { architectures: ['GPT2CustomLM'] }, {}],
    ['no list', { architectures: 'GPT2ForSequenceClassification' }, {}],
  ])('%s is loaded', async (_, config, tensors) => {
    expectSame(await readAll(await opening(config, tensors)), expected);
  });
});

describe("an adapter's folder", () => {
  const lora = new Map(
    ['A', 'B'].map((side) => [
      `base_model.model.transformer.h.0.attn.c_attn.lora_${side}.weight`,
      tensorOf('F32', side === 'A' ? [4, 8] : [24, 4]),
    ]),
  );
  const weights = encodeSafetensors(lora);
  const adapterConfig = JSON.stringify({ peft_type: 'LORA', base_model_name_or_path: 'openai-community/gpt2', r: 4 });
  const folder = { 'adapter_config.json': adapterConfig, 'adapter_model.safetensors': weights };
  const refusal = {
    code: 'unsupported-checkpoint',
    message: expect.stringMatching(
      /is a LoRA adapter for openai-community\/gpt2: changes to a model.*\{ adapter \}.*Merge it first/,
    ),
  };

  test('as files, whatever is beside', async () => {
    const config = JSON.stringify(tinyCheckpoint().config);
    for (const contents of [
      folder,
      { ...folder, 'config.json': config },
      { ...folder, 'README.md': '', 'tokenizer.json': '{}' },
      { 'adapter_config.json': adapterConfig, 'adapter_model.bin': 'PK' },
      { 'adapter_config.json': adapterConfig },
      { 'adapter_config.json': adapterConfig, 'config.json': config, 'model.safetensors': weights },
    ]) {
      await expect(openCheckpoint(files(contents as never))).rejects.toMatchObject(refusal);
    }
    await expect(openCheckpoint(files({ 'adapter_model.safetensors': weights }))).rejects.toThrow('is a LoRA adapter');
  });

  test('at a URL, and on a hub', async () => {
    const server = await serve(folder);
    await expect(openCheckpoint(server.url)).rejects.toMatchObject(refusal);
    await expect(openCheckpoint(`${server.url}adapter_model.safetensors`)).rejects.toMatchObject(refusal);
    await server.close();
    for (const api of [true, false]) {
      const { answer, contents } = hub('owner/lora', folder, { api });
      const hubServer = await serve(contents, answer);
      const opening = openCheckpoint('owner/lora', { endpoint: hubServer.url });
      await expect(opening).rejects.toMatchObject(refusal);
      await hubServer.close();
    }
  });

  test('of another kind, and of a broken config', async () => {
    const ia3 = { 'adapter_config.json': '{"peft_type":"IA3","scale":NaN}', 'adapter_model.safetensors': weights };
    await expect(openCheckpoint(files(ia3))).rejects.toThrow('is an adapter of the kind IA3: changes');
    const broken = { 'adapter_config.json': '{', 'adapter_model.safetensors': weights };
    await expect(openCheckpoint(files(broken))).rejects.toThrow('adapter_config.json is not JSON');
  });

  test('as GGUF', async () => {
    const parts = tinyGguf();
    parts.fields.set('general.type', 'adapter');
    await expect(openCheckpoint(new File([encodeGguf(parts)], 'x.gguf'))).rejects.toThrow('x.gguf is a LoRA adapter');
  });
});

test('a GGUF file with a vocabulary and no weights says so', async () => {
  const parts = tinyGguf();
  parts.tensors = [];
  await expect(openCheckpoint(new File([encodeGguf(parts)], 'vocab.gguf'))).rejects.toMatchObject({
    code: 'bad-checkpoint',
    message: expect.stringContaining('vocab.gguf holds a vocabulary and no weights'),
  });
});

test('a value of every float type, beside each other', async () => {
  const { config, tensors } = tinyCheckpoint();
  const kinds = ['F32', 'F16', 'BF16'];
  const mixed = new Map(
    [...tensors].map(([name, tensor], i) => {
      const dtype = kinds[i % 3]!;
      return [name, { ...tensor, dtype, bytes: encodeValues(new Float32Array(tensor.bytes.slice().buffer), dtype) }];
    }),
  );
  expectSame(await readAll(await openCheckpoint(tinyFiles({ config, tensors: mixed }))), expected);
});

describe('a GGUF file whose output layer is a copy of its words', () => {
  /** Seeded values depend on the shape alone, so that these two are equal. */
  const whole = (change = (_: Uint8Array) => {}) => {
    const parts = tinyGguf({ tied: false, nEmbd: 64, vocabSize: 2000 });
    change(parts.tensors.find(({ name }) => name === 'output.weight')!.bytes);
    return encodeGguf(parts);
  };
  const tied = encodeGguf(tinyGguf({ nEmbd: 64, vocabSize: 2000 }));
  const size = 64 * 2000 * 4;
  const bytesOf = async (source: Parameters<typeof load>[0], options: LoadOptions = {}) => {
    const model = await load(source, { device: 'cpu', ...options });
    const found = {
      bytes: model.device.bytes,
      tied: model.config.tieWordEmbeddings,
      logits: await model.logits([1, 2]),
    };
    model.dispose();
    return found;
  };

  test('shares them, from files and from a server', async () => {
    const expected = await bytesOf(new File([tied], 'tiny.gguf'));
    const told: Progress[] = [];
    const onProgress = (progress: Progress) => void told.push(progress);
    expect(await bytesOf(new File([whole()], 'tiny.gguf'), { onProgress })).toEqual(expected);
    expect(told.map(({ loaded }) => loaded)).toEqual(told.map(({ loaded }) => loaded).sort((a, b) => a - b));
    expect(told.at(-1)!.loaded).toBe(told.at(-1)!.total);
    const server = await serve({ 'tiny.gguf': whole() });
    expect(await bytesOf(`${server.url}tiny.gguf`, { cache: false })).toEqual(expected);
    await server.close();
  });

  test.each([0, size >> 1, size - 1])('unless a byte differs: %i', async (at) => {
    const other = whole((bytes) => {
      bytes[at]! ^= 1;
    });
    const { bytes, tied: isTied } = await bytesOf(new File([tied], 'tiny.gguf'));
    expect(isTied).toBe(true);
    const found = await bytesOf(new File([other], 'tiny.gguf'));
    expect(found).toMatchObject({ tied: false, bytes: bytes + size });
  });
});
