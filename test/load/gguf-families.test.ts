import { describe, expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import type { LlamaConfig } from '../../src/model/llama.ts';
import { type ErrorCode, VitrineError } from '../../src/plan/error.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { encodeTensor } from '../../tools/gguf/layout.ts';
import { expectClose } from '../close.ts';
import { familyExpected, familyFiles, tensorsOf } from '../model/families.ts';
import { bool, bytePairFields, f32, familyGguf, permuted, sentencePieceFields } from './gguf-families.ts';
import { expectSame, readAll } from './read.ts';
import { encodeGguf, type GgufParts, type GgufValue } from './tiny-gguf.ts';

const file = (parts: GgufParts) => [new File([encodeGguf(parts)], 'tiny.gguf')];
const fixtures = [
  ['llama-gqa', 'llama'],
  ['llama-tied', 'llama'],
  ['qwen2', 'qwen2'],
  ['qwen3', 'qwen3'],
  ['gpt-neox', 'gptneox'],
  ['gpt-neox-sequential', 'gptneox'],
] as const;

describe.each(fixtures)('%s as GGUF of the architecture %s', (folder, architecture) => {
  test('every weight and the config are those of the folder', async () => {
    const files = await familyFiles(folder, ['config.json', 'model.safetensors']);
    const [checkpoint, original] = await Promise.all(
      [file(await familyGguf(folder, architecture)), files].map((one) => openCheckpoint(one)),
    );
    const [found, expected] = [await readAll(checkpoint!), await readAll(original!)];
    expectSame(found, expected);
    const { bosTokenId, eosTokenIds, padTokenId, ...config } = checkpoint!.config as LlamaConfig; // of the vocabulary, which is not in it
    expect(original!.config).toMatchObject(config);
  });

  test.each(['cpu', 'wasm'] as const)('logits on %s', async (device) => {
    const model = await load(file(await familyGguf(folder, architecture)), { device, dtype: 'f32' });
    const { cases, accept } = await familyExpected(folder);
    const expected = await tensorsOf(folder, 'expected.safetensors');
    for (const { name, input_ids, outputs } of cases) {
      const [ids] = input_ids;
      const { data } = await model.logits(ids!, { positions: [...ids!.keys()] });
      expectClose(data, expected.get(outputs.logits!.tensor)!.data, { absolute: accept.logits! }, name);
    }
    model.dispose();
  });
});

describe('tokenizers in the metadata', () => {
  const spell = async (folder: string, architecture: 'llama' | 'qwen2' | 'gptneox', fields: Map<string, GgufValue>) => {
    const parts = await familyGguf(folder, architecture);
    for (const [name, value] of fields) parts.fields.set(name, value);
    const checkpoint = await openCheckpoint(file(parts));
    return loadTokenizer(await checkpoint.tokenizerFiles(), checkpoint.config.vocabSize);
  };

  test.each([
    ['qwen2', 'qwen2', 'qwen2'],
    ['gpt-neox', 'gptneox', 'olmo'],
  ] as const)('%s: byte-level BPE cut as %s says', async (folder, architecture, pre) => {
    const tokenizer = await spell(folder, architecture, await bytePairFields(folder, pre));
    const { texts } = await familyExpected(folder);
    expect(texts!.length).toBeGreaterThan(3);
    for (const { text, ids } of texts!) expect(tokenizer.encode(text, { special: true }), text).toEqual(ids);
  });

  test('llama: SentencePiece, with its beginning, as its own library spells', async () => {
    const tokenizer = await spell('llama-gqa', 'llama', await sentencePieceFields('llama-gqa'));
    const { texts } = await familyExpected('llama-gqa');
    for (const { text, ids, decoded } of texts!) {
      expect(tokenizer.encode(text, { special: true }), text).toEqual(ids);
      expect(tokenizer.decode(ids, { special: false }).trimStart(), text).toBe(decoded.trimStart());
    }
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.unkId]).toEqual([1, 2, 0]);
  });

  test('llama: no beginning, an end, no space before a text', async () => {
    const fields = await sentencePieceFields('llama-gqa');
    fields.set('tokenizer.ggml.add_bos_token', bool(false)).set('tokenizer.ggml.add_eos_token', bool(true));
    fields.set('tokenizer.ggml.add_space_prefix', bool(false));
    const tokenizer = await spell('llama-gqa', 'llama', fields);
    const ids = tokenizer.encode('the', { special: true });
    expect(ids.at(-1)).toBe(2);
    expect(ids).not.toContain(1);
    expect(tokenizer.spelling(ids[0]!)).not.toMatch(/^▁/);
  });

  test('llama-bpe: its beginning unless the file says none, digits by threes', async () => {
    const fields = await bytePairFields('qwen2', 'llama-bpe');
    fields.set('tokenizer.ggml.bos_token_id', 297);
    expect((await spell('qwen2', 'qwen2', fields)).encode('a', { special: true })[0]).toBe(297);
    fields.set('tokenizer.ggml.add_bos_token', bool(false));
    expect((await spell('qwen2', 'qwen2', fields)).encode('a', { special: true })[0]).not.toBe(297);
  });

  test('control tokens are special; those of users are found in any text', async () => {
    const fields = await bytePairFields('qwen2', 'qwen2');
    (fields.get('tokenizer.ggml.token_type') as number[])[298] = 4;
    const tokenizer = await spell('qwen2', 'qwen2', fields);
    expect(tokenizer.encode('<|im_start|>')).toEqual([298]);
    expect(tokenizer.encode('<|im_end|>').length).toBeGreaterThan(1);
    expect(tokenizer.encode('<|im_end|>', { special: true })).toEqual([299]);
    expect(tokenizer.decode([298, 299], { special: false })).toBe('<|im_start|>');
  });
});

/** A llama of seeded values whose rows are whole blocks. */
async function wide(): Promise<GgufParts> {
  const [nEmbd, nInner, vocab, heads, keyHeads] = [64, 96, 40, 4, 2];
  const tensors: GgufParts['tensors'] = [];
  const add = (name: string, ...axes: number[]) => {
    const count = axes.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: count }, (_, i) => ((((i + 7 * tensors.length) * 37) % 127) - 63) / 64);
    tensors.push({ name: `${name}.weight`, type: 0, axes, bytes: new Uint8Array(values.buffer) });
  };
  add('token_embd', nEmbd, vocab);
  add('output_norm', nEmbd);
  add('blk.0.attn_norm', nEmbd);
  add('blk.0.attn_q', nEmbd, 64);
  add('blk.0.attn_k', nEmbd, 32);
  add('blk.0.attn_v', nEmbd, 32);
  add('blk.0.attn_output', 64, nEmbd);
  add('blk.0.ffn_norm', nEmbd);
  add('blk.0.ffn_gate', nEmbd, nInner);
  add('blk.0.ffn_up', nEmbd, nInner);
  add('blk.0.ffn_down', nInner, nEmbd);
  const fields = new Map<string, GgufValue>([
    ['general.architecture', 'llama'],
    ['llama.block_count', 1],
    ['llama.context_length', 64],
    ['llama.embedding_length', nEmbd],
    ['llama.feed_forward_length', nInner],
    ['llama.attention.head_count', heads],
    ['llama.attention.head_count_kv', keyHeads],
    ['llama.attention.layer_norm_rms_epsilon', f32(1e-5)],
    ['llama.rope.freq_base', f32(500_000)],
  ]);
  return { version: 3, fields, moreFields: [], tensors, alignment: 32 };
}
const valuesOf = (parts: GgufParts, name: string) =>
  new Float32Array(parts.tensors.find((one) => one.name === name)!.bytes.buffer);

describe('what only GGUF files have', () => {
  test.each([
    ['q8_0', 8, 34],
    ['q4_0', 2, 18],
  ] as const)('%s: rows of queries and keys are put back whole', async (type, id, bytes) => {
    const parts = await wide();
    const q = valuesOf(parts, 'blk.0.attn_q.weight');
    const tensor = parts.tensors.find(({ name }) => name === 'blk.0.attn_q.weight')!;
    const original = (await readAll(await openCheckpoint(file(parts)))).get(
      'layers.0.self_attn.q_proj+k_proj+v_proj.weight',
    )!;
    Object.assign(tensor, { type: id, bytes: Uint8Array.from(encodeTensor(type, q)) });
    expect(tensor.bytes.length).toBe((q.length / 32) * bytes);
    const found = (await readAll(await openCheckpoint(file(parts)))).get(
      'layers.0.self_attn.q_proj+k_proj+v_proj.weight',
    )!;
    expectClose(found, original, { absolute: type === 'q8_0' ? 0.01 : 0.15 }, 'rows');
    expect(permuted(Float32Array.from(original.subarray(0, q.length)), 64, 4)).toEqual(q);
  });

  test('several types in one layer: it is kept as the finest', async () => {
    const parts = await wide();
    for (const [name, type, id] of [
      ['q', 'q4_0', 2],
      ['k', 'q8_0', 8],
      ['v', 'q4_0', 2],
    ] as const) {
      const tensor = parts.tensors.find((one) => one.name === `blk.0.attn_${name}.weight`)!;
      Object.assign(tensor, { type: id, bytes: Uint8Array.from(encodeTensor(type, valuesOf(parts, tensor.name))) });
    }
    const checkpoint = await openCheckpoint(file(parts));
    const [qkv] = checkpoint.family.plan(checkpoint.config).weights.filter(({ name }) => name.includes('q_proj+'));
    expect(checkpoint.storedAsOf(qkv!)).toBe('q8');
  });

  test("Llama 3's divided frequencies", async () => {
    const parts = await wide();
    const divisors = Float32Array.from([1, 1, 1, 1.5, 2, 4, 8, 8]);
    parts.tensors.push({ name: 'rope_freqs.weight', type: 0, axes: [8], bytes: new Uint8Array(divisors.buffer) });
    const table = (await readAll(await openCheckpoint(file(parts)))).get('rotary')!;
    for (const [i, divisor] of divisors.entries()) {
      expect(table[3 * 16 + i]).toBeCloseTo(Math.cos((3 * 500_000 ** (-i / 8)) / divisor), 6);
    }
  });

  test.each([
    ['linear', { factor: 4 }, (one: number) => one / 4],
    ['none', {}, (one: number) => one],
  ] as const)('rotary scaling: %s', async (type, more, scaled) => {
    const parts = await wide();
    parts.fields.set('llama.rope.scaling.type', type);
    for (const [name, value] of Object.entries(more)) parts.fields.set(`llama.rope.scaling.${name}`, f32(value));
    const table = (await readAll(await openCheckpoint(file(parts)))).get('rotary')!;
    expect(table[5 * 16 + 2]).toBeCloseTo(Math.cos(5 * scaled(500_000 ** (-2 / 8))), 6);
  });

  test('a factor without a kind is linear, as in llama.cpp', async () => {
    const parts = await wide();
    parts.fields.set('llama.rope.scaling.factor', f32(4));
    const table = (await readAll(await openCheckpoint(file(parts)))).get('rotary')!;
    expect(table[5 * 16 + 2]).toBeCloseTo(Math.cos((5 * 500_000 ** (-2 / 8)) / 4), 6);
  });

  test('yarn is that of config.json', async () => {
    const parts = await wide();
    parts.fields.set('llama.rope.scaling.type', 'yarn').set('llama.rope.scaling.factor', f32(4));
    parts.fields.set('llama.rope.scaling.original_context_length', 16);
    const { rotary } = (await openCheckpoint(file(parts))).config as unknown as { rotary: { factor: number } };
    expect(rotary.factor).toBeCloseTo(0.1 * Math.log(4) + 1, 6);
  });

  test("an output layer that is a copy of the words is the words'", async () => {
    const parts = await wide();
    const words = parts.tensors[0]!;
    parts.tensors.push({ ...words, name: 'output.weight', bytes: words.bytes.slice() });
    const checkpoint = await openCheckpoint(file(parts));
    expect(checkpoint.config.tieWordEmbeddings).toBe(false);
    await checkpoint.settle!();
    expect(checkpoint.config.tieWordEmbeddings).toBe(true);
  });

  test('several tokens end a text', async () => {
    const parts = await wide();
    parts.fields.set('tokenizer.ggml.eos_token_id', 7).set('tokenizer.ggml.eot_token_id', 9);
    expect((await openCheckpoint(file(parts))).config.eosTokenIds).toEqual([7, 9]);
  });
});

test('another loader says which one takes it', async () => {
  const opening = openCheckpoint(file(await wide()), { kind: 'encoder' });
  await expect(opening).rejects.toMatchObject({
    code: 'unsupported-checkpoint',
    message: expect.stringContaining('The model is a llama, which load takes'),
  });
});

describe('what is broken or unsupported is refused', () => {
  const bad = 'bad-checkpoint';
  const unsupported = 'unsupported-checkpoint';
  const set =
    (name: string, value: GgufValue | undefined) =>
    ({ fields }: GgufParts) =>
      value === undefined ? fields.delete(name) : fields.set(name, value);
  const tensor = (name: string, changes: object) => (parts: GgufParts) =>
    Object.assign(parts.tensors.find((one) => one.name === name)!, changes);
  const without = (name: string) => (parts: GgufParts) => {
    parts.tensors = parts.tensors.filter((one) => one.name !== name);
  };
  const cases: [string, ErrorCode, RegExp, (parts: GgufParts) => unknown][] = [
    [
      'another architecture',
      unsupported,
      /general.architecture in tiny.gguf is "mamba"; expected one of "gpt2", "llama"/,
      set('general.architecture', 'mamba'),
    ],
    [
      'a name of every object',
      unsupported,
      /general.architecture in tiny.gguf is "constructor"/,
      set('general.architecture', 'constructor'),
    ],
    ['experts', unsupported, /llama.expert_count is 8; expected 0/, set('llama.expert_count', 8)],
    [
      'longrope',
      unsupported,
      /llama.rope.scaling.type in tiny.gguf is "longrope"/,
      set('llama.rope.scaling.type', 'longrope'),
    ],
    [
      'a factor of angles without yarn',
      unsupported,
      /llama.rope.scaling.attn_factor in tiny.gguf is 1.5; expected 1/,
      set('llama.rope.scaling.attn_factor', f32(1.5)),
    ],
    ['a scaled attention', unsupported, /llama.attention.scale is/, set('llama.attention.scale', f32(0.5))],
    [
      'heads that are partly turned',
      unsupported,
      /llama.rope.dimension_count is 8; expected 16/,
      set('llama.rope.dimension_count', 8),
    ],
    [
      'values of another width',
      unsupported,
      /llama.attention.value_length is 8; expected/,
      set('llama.attention.value_length', 8),
    ],
    ['no head count', bad, /llama.attention.head_count in tiny.gguf is/, set('llama.attention.head_count', undefined)],
    [
      'heads that are no multiple',
      bad,
      /llama.attention.head_count in tiny.gguf is 4; expected a multiple of the 3/,
      set('llama.attention.head_count_kv', 3),
    ],
    ['a count in words', bad, /llama.block_count in tiny.gguf is "one"/, set('llama.block_count', 'one')],
    [
      'an epsilon of 0',
      bad,
      /layer_norm_rms_epsilon in tiny.gguf is 0/,
      set('llama.attention.layer_norm_rms_epsilon', f32(0)),
    ],
    ['a base below 0', bad, /rope_theta/, set('llama.rope.freq_base', f32(-1))],
    ['more layers than tensors', bad, /lacks the tensor blk.1./, set('llama.block_count', 2)],
    ['no queries', bad, /lacks the tensor blk.0.attn_q.weight of shape \[64,64\]/, without('blk.0.attn_q.weight')],
    ['no final norm', bad, /lacks the tensor output_norm.weight/, without('output_norm.weight')],
    ['no words', bad, /lacks the tensor token_embd.weight/, without('token_embd.weight')],
    [
      'keys of another shape',
      bad,
      /blk.0.attn_k.weight in tiny.gguf has the shape/,
      tensor('blk.0.attn_k.weight', { axes: [32, 64] }),
    ],
    [
      'experts as tensors',
      unsupported,
      /holds blk.0.ffn_gate_inp.weight, which no Llama has/,
      ({ tensors }) =>
        tensors.push({
          ...tensors.find(({ name }) => name === 'output_norm.weight')!,
          name: 'blk.0.ffn_gate_inp.weight',
        }),
    ],
    ['a part of a model', unsupported, /is one of 2 parts/, set('split.count', 2)],
    ['a type that is not read', unsupported, /is stored as IQ4_XS/, tensor('blk.0.attn_v.weight', { type: 23 })],
  ];
  test.each(cases)('%s', async (_, code, message, change) => {
    const parts = await wide();
    change(parts);
    const opening = async () => {
      const checkpoint = await openCheckpoint(file(parts));
      checkpoint.check(checkpoint.family.plan(checkpoint.config).weights);
    };
    const error = await opening().catch((error) => error);
    expect(error).toBeInstanceOf(VitrineError);
    expect([error.code, `${error.message} ${error.hint ?? ''}`]).toEqual([code, expect.stringMatching(message)]);
  });

  const spellings: [string, ErrorCode, RegExp, Record<string, GgufValue | undefined>][] = [
    [
      'an unknown pre',
      unsupported,
      /tokenizer.ggml.pre in tiny.gguf is "viking"; expected "default"/,
      { pre: 'viking' },
    ],
    ['another model', unsupported, /tokenizer.ggml.model in tiny.gguf is "rwkv"/, { model: 'rwkv' }],
    ['no merges', bad, /tokenizer.ggml.merges in tiny.gguf is missing/, { merges: undefined }],
    ['too few kinds', bad, /tokenizer.ggml.token_type in tiny.gguf has not one number/, { token_type: [1, 2] }],
    ['no scores', bad, /tokenizer.ggml.scores in tiny.gguf is missing/, { model: 'llama' }],
  ];
  test.each(spellings)('a vocabulary with %s', async (_, code, message, changes) => {
    const parts = await familyGguf('qwen2', 'qwen2');
    for (const [name, value] of await bytePairFields('qwen2', 'qwen2')) parts.fields.set(name, value);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) parts.fields.delete(`tokenizer.ggml.${name}`);
      else parts.fields.set(`tokenizer.ggml.${name}`, value);
    }
    const spelling = async () => {
      const checkpoint = await openCheckpoint(file(parts));
      await loadTokenizer(await checkpoint.tokenizerFiles(), checkpoint.config.vocabSize);
    };
    await expect(spelling()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
