import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { type ErrorCode, VitrineError } from '../../src/plan/error.ts';
import { cpuClock } from '../cpu-clock.ts';
import {
  concat,
  encodeSafetensors,
  files,
  type Header,
  headerOf,
  lengthBytes,
  shardedFiles,
  type TensorData,
  type TinyOptions,
  tinyCheckpoint,
} from './tiny-checkpoint.ts';

type Contents = Record<string, string | Uint8Array<ArrayBuffer>>;

/** A sound checkpoint's files with some replaced (or, with undefined, taken away). */
function broken(
  changes: Record<string, string | Uint8Array<ArrayBuffer> | undefined>,
  options?: TinyOptions,
): Contents {
  const { config, tensors } = tinyCheckpoint(options);
  const all = { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors), ...changes };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

const config = (fields: Record<string, unknown>, options?: TinyOptions): (() => Contents) => {
  return () => broken({ 'config.json': JSON.stringify({ ...tinyCheckpoint().config, ...fields }) }, options);
};

const weights = (make: (tensors: Map<string, TensorData>) => Uint8Array<ArrayBuffer>, options?: TinyOptions) => {
  return () => broken({ 'model.safetensors': make(tinyCheckpoint(options).tensors) }, options);
};

/** With tensors added, changed or (through the map) taken away, and a header that fits. */
const tensors = (change: (tensors: Map<string, TensorData>) => unknown, options?: TinyOptions) =>
  weights((all) => {
    change(all);
    return encodeSafetensors(all);
  }, options);

/** With a header that says something else of tensors that stay. */
const header = (change: (header: Header & Record<string, unknown>) => unknown, options?: TinyOptions) =>
  weights((all) => {
    const changed = headerOf(all);
    change(changed as Header & Record<string, unknown>);
    return encodeSafetensors(all, changed);
  }, options);

/** One tensor's entry with a field replaced. */
const entry = (name: string, fields: Record<string, unknown>) =>
  header((all) => {
    Object.assign(all[name]!, fields);
  });

const sharded = (change: (contents: Contents, index: { weight_map: Record<string, unknown> }) => unknown) => () => {
  const contents: Contents = shardedFiles(tinyCheckpoint());
  const index = JSON.parse(contents['model.safetensors.index.json'] as string);
  const replaced = change(contents, index);
  contents['model.safetensors.index.json'] = JSON.stringify(replaced ?? index);
  return contents;
};

const tensor = (dtype: string, shape: number[], each = 4): TensorData => ({
  dtype,
  shape,
  bytes: new Uint8Array(shape.reduce((product, axis) => product * axis, each)),
});

const bad = 'bad-checkpoint';
const unsupported = 'unsupported-checkpoint';
const wpe = 'wpe.weight';

/** A name, the code and part of the message (found, expected, where) it is refused with, and the broken files. */
const cases: [string, ErrorCode, string | RegExp, () => Contents][] = [
  // config.json
  ['config: absent', bad, 'no config.json', () => broken({ 'config.json': undefined })],
  ['config: empty file', bad, 'config.json is not JSON', () => broken({ 'config.json': '' })],
  ['config: cut short', bad, 'config.json is not JSON', () => broken({ 'config.json': '{"n_embd": 8,' })],
  ['config: a web page', bad, /not JSON.*<!doctype/s, () => broken({ 'config.json': '<!doctype html><p>Sorry' })],
  ['config: NaN, cut short', bad, 'config.json is not JSON', () => broken({ 'config.json': '{"n_embd": NaN,' })],
  ['config: NaN in a word', bad, 'config.json is not JSON', () => broken({ 'config.json': '{"n_embd": NaNs}' })],
  ['config: NaN with a sign', bad, 'config.json is not JSON', () => broken({ 'config.json': '{"n_embd": -NaN}' })],
  ['config: Infinity as a name', bad, 'config.json is not JSON', () => broken({ 'config.json': '{Infinity: 1}' })],
  ['config: undefined', bad, 'config.json is not JSON', () => broken({ 'config.json': '{"n_embd": undefined}' })],
  ...['n_embd', 'n_layer', 'n_head', 'n_positions', 'vocab_size', 'n_inner', 'layer_norm_epsilon'].flatMap((field) =>
    ['NaN', 'Infinity', '-Infinity'].map((literal): (typeof cases)[number] => [
      `config: ${field} is ${literal}`,
      bad,
      `${field} in config.json is ${literal}; expected`,
      () =>
        broken({ 'config.json': JSON.stringify({ ...tinyCheckpoint().config, [field]: '?' }).replace('"?"', literal) }),
    ]),
  ),
  [
    'config: an id that is NaN',
    bad,
    'eos_token_id in config.json is [1,"NaN"]',
    () =>
      broken({
        'config.json': JSON.stringify({ ...tinyCheckpoint().config, eos_token_id: 0 }).replace(
          '"eos_token_id":0',
          '"eos_token_id":[1,NaN]',
        ),
      }),
  ],
  ['config: not UTF-8', bad, 'not UTF-8', () => broken({ 'config.json': new Uint8Array([123, 255, 254, 125]) })],
  ['config: a list', bad, 'config.json holds []', () => broken({ 'config.json': '[]' })],
  ['config: null', bad, 'config.json holds null', () => broken({ 'config.json': 'null' })],
  ['config: blank', bad, 'not JSON', () => broken({ 'config.json': ' '.repeat(2 << 20) })],
  ['config: no n_embd', bad, 'n_embd in config.json is missing', config({ n_embd: undefined })],
  ['config: n_layer 0', bad, 'n_layer in config.json is 0; expected an integer from 1', config({ n_layer: 0 })],
  ['config: n_layer negative', bad, 'n_layer in config.json is -1', config({ n_layer: -1 })],
  ['config: n_layer huge', bad, 'n_layer in config.json is 1000000000', config({ n_layer: 1e9 })],
  ['config: n_head fractional', bad, 'n_head in config.json is 2.5', config({ n_head: 2.5 })],
  [
    'config: n_head no divisor',
    bad,
    'n_embd in config.json is 8; expected a multiple of n_head, which is 3',
    config({ n_head: 3 }),
  ],
  ['config: vocab_size a string', bad, 'vocab_size in config.json is "16"', config({ vocab_size: '16' })],
  ['config: n_positions beyond integers', bad, 'n_positions in config.json is 1e+308', config({ n_positions: 1e308 })],
  ['config: n_inner 0', bad, 'n_inner in config.json is 0', config({ n_inner: 0 })],
  ['config: epsilon 0', bad, 'layer_norm_epsilon in config.json is 0', config({ layer_norm_epsilon: 0 })],
  ['config: flag a string', bad, 'tie_word_embeddings in config.json is "yes"', config({ tie_word_embeddings: 'yes' })],
  ['config: eos fractional', bad, 'eos_token_id in config.json is [1,2.5]', config({ eos_token_id: [1, 2.5] })],
  [
    'config: another family',
    unsupported,
    'model_type in config.json is "bloom"; expected "gpt2"',
    config({ model_type: 'bloom' }),
  ],
  [
    'config: unknown activation',
    unsupported,
    'activation_function in config.json is "mish"',
    config({ activation_function: 'mish' }),
  ],
  [
    'config: activation of Object.prototype',
    unsupported,
    'is "constructor"',
    config({ activation_function: 'constructor' }),
  ],
  [
    'config: cross-attention',
    unsupported,
    'add_cross_attention in config.json is true',
    config({ add_cross_attention: true }),
  ],
  ['config: quantised', unsupported, 'quantization_config', config({ quantization_config: { bits: 4 } })],

  // config.json and tensors disagree
  ['shape: other width', bad, /wte.weight .* has the shape \[16,8\]; expected \[16,16\]/, config({ n_embd: 16 })],
  ['shape: other vocabulary', bad, /wte.weight .* \[16,8\]; expected \[17,8\]/, config({ vocab_size: 17 })],
  ['shape: fewer positions', bad, /wpe.weight .* \[8,8\]; expected \[4,8\]/, config({ n_positions: 4 })],
  ['shape: other n_inner', bad, /c_fc.weight .* \[8,32\]; expected \[8,24\]/, config({ n_inner: 24 })],
  ['layers: config has more', bad, 'lacks the tensor h.1.ln_1.weight', config({ n_layer: 2 })],
  ['layers: file has more', bad, /holds h\.1\..*n_layer in config.json is 1/, config({ n_layer: 1 }, { nLayer: 2 })],
  [
    'head: untied without one',
    bad,
    /lm_head.weight of shape \[16,8\].*tie_word_embeddings is false/,
    config({ tie_word_embeddings: false }),
  ],

  // model.safetensors
  ['weights: absent', bad, 'no model.safetensors', () => broken({ 'model.safetensors': undefined })],
  ['weights: empty file', bad, 'model.safetensors is 0 bytes long', () => broken({ 'model.safetensors': '' })],
  ['weights: five bytes', bad, 'is 5 bytes long', () => broken({ 'model.safetensors': new Uint8Array(5) })],
  ['weights: a web page', bad, 'is a web page', () => broken({ 'model.safetensors': '<!DOCTYPE html>' })],
  [
    'weights: a Git LFS pointer',
    bad,
    'Git LFS',
    () => broken({ 'model.safetensors': 'version https://git-lfs.github.com/spec/v1\n' }),
  ],
  [
    'weights: a renamed pickle',
    unsupported,
    'save_pretrained',
    () => broken({ 'model.safetensors': 'PK\x03\x04........' }),
  ],
  [
    'weights: only a pickle',
    unsupported,
    'save_pretrained',
    () => broken({ 'model.safetensors': undefined, 'pytorch_model.bin': 'PK\x03\x04' }),
  ],
  [
    'weights: GGUF, cut short',
    bad,
    'model.gguf ends at byte 4',
    () => broken({ 'model.safetensors': undefined, 'model.gguf': 'GGUF' }),
  ],
  [
    'header: length of 2^63',
    bad,
    'claims 9223372036854776000 bytes; expected at most 5520',
    weights((all) => concat([lengthBytes(1n << 63n), encodeSafetensors(all)])),
  ],
  [
    'header: longer than the file',
    bad,
    /claims 90000000 bytes; expected at most 5520/,
    weights((all) => concat([lengthBytes(90_000_000), encodeSafetensors(all)])),
  ],
  ['header: empty', bad, 'header of model.safetensors is not JSON', weights(() => lengthBytes(0))],
  [
    'header: not JSON',
    bad,
    'header of model.safetensors is not JSON',
    weights((all) => encodeSafetensors(all, '{"wte.weight": ')),
  ],
  ['header: not UTF-8', bad, 'not UTF-8', weights(() => concat([lengthBytes(2), new Uint8Array([0xc3, 0x28])]))],
  ['header: a list', bad, 'not an object', weights((all) => encodeSafetensors(all, []))],
  [
    'header: without tensors',
    bad,
    'lacks the tensor wte.weight',
    weights(() => encodeSafetensors(new Map(), { __metadata__: {} })),
  ],
  ['entry: a number', bad, 'The entry of wpe.weight', header((all) => Object.assign(all, { [wpe]: 3 }))],
  ['entry: null', bad, 'The entry of wpe.weight', header((all) => Object.assign(all, { [wpe]: null }))],
  ['dtype: absent', bad, 'dtype of wpe.weight in model.safetensors is missing', entry(wpe, { dtype: undefined })],
  ['dtype: unheard of', unsupported, 'is stored as F33', entry(wpe, { dtype: 'F33' })],
  ['dtype: F64 of F32 bytes', bad, 'expected 512 bytes, as dtype F64', entry(wpe, { dtype: 'F64' })],
  ['dtype: int8', unsupported, 'stored as I8', tensors((all) => all.set(wpe, tensor('I8', [8, 8], 1)))],
  ['dtype: F16 of F32 bytes', bad, 'expected 128 bytes, as dtype F16', entry(wpe, { dtype: 'F16' })],
  ['shape: absent', bad, 'shape of wpe.weight', entry(wpe, { shape: undefined })],
  ['shape: negative', bad, 'shape of wpe.weight in model.safetensors is [-8,-8]', entry(wpe, { shape: [-8, -8] })],
  ['shape: fractional', bad, 'shape of wpe.weight', entry(wpe, { shape: [8.5, 8] })],
  ['shape: a string', bad, 'shape of wpe.weight', entry(wpe, { shape: '88' })],
  ['shape: product beyond integers', bad, 'data_offsets of wpe.weight', entry(wpe, { shape: [2 ** 52, 2 ** 52] })],
  ['shape: too few values', bad, 'expected 224 bytes', entry(wpe, { shape: [7, 8] })],
  [
    'shape: transposed',
    bad,
    /c_attn.weight .* \[24,8\]; expected \[8,24\]/,
    entry('h.0.attn.c_attn.weight', { shape: [24, 8] }),
  ],
  ['shape: flattened', bad, /wpe.weight .* \[64\]; expected \[8,8\]/, entry(wpe, { shape: [64] })],
  [
    'offsets: absent',
    bad,
    'data_offsets of wpe.weight in model.safetensors is missing',
    entry(wpe, { data_offsets: undefined }),
  ],
  ['offsets: one', bad, 'expected two offsets', entry(wpe, { data_offsets: [512] })],
  ['offsets: negative', bad, 'data_offsets of wpe.weight', entry(wpe, { data_offsets: [-256, 0] })],
  ['offsets: swapped', bad, 'data_offsets of wpe.weight', entry(wpe, { data_offsets: [768, 512] })],
  ['offsets: strings', bad, 'expected two offsets', entry(wpe, { data_offsets: ['512', '768'] })],
  ['offsets: overlap', bad, 'overlaps the tensor before it', entry(wpe, { data_offsets: [256, 512] })],
  ['offsets: beyond the file', bad, 'leaves a hole', entry(wpe, { data_offsets: [1e15, 1e15 + 256] })],
  ['offsets: hole', bad, 'leaves a hole before it', header((all) => delete all[wpe])],
  ['file: cut short', bad, 'where its last tensor ends', weights((all) => encodeSafetensors(all).slice(0, -1))],
  [
    'file: bytes behind the end',
    bad,
    'where its last tensor ends',
    weights((all) => concat([encodeSafetensors(all), new Uint8Array(1)])),
  ],
  ['tensor: absent', bad, 'lacks the tensor ln_f.bias of shape [8]', tensors((all) => all.delete('ln_f.bias'))],
  [
    'tensor: mask only, bias absent',
    bad,
    'lacks the tensor h.0.attn.c_attn.bias',
    tensors((all) => {
      all.delete('h.0.attn.c_attn.bias');
      all.set('h.0.attn.bias', tensor('U8', [1, 1, 8, 8], 1));
    }),
  ],
  [
    'tensor: twice, with and without prefix',
    bad,
    'holds both wpe.weight and transformer.wpe.weight',
    tensors((all) => all.set('transformer.wpe.weight', tensor('F32', [8, 8]))),
  ],
  [
    'tensor: strange prefix',
    bad,
    /lacks the tensor wte.weight.*It holds model.wte.weight/s,
    weights((all) => encodeSafetensors(all), { prefix: 'model.' }),
  ],
  [
    'tensor: cross-attention',
    unsupported,
    'h.0.crossattention.c_attn.weight, which no GPT-2 has',
    tensors((all) => all.set('h.0.crossattention.c_attn.weight', tensor('F32', [8, 16]))),
  ],
  ['tie: neither end', bad, 'lacks the tensor wte.weight of shape [16,8]', tensors((all) => all.delete('wte.weight'))],
  [
    'tie: untied, words alone',
    bad,
    /lacks the tensor lm_head.weight of shape \[16,8\].*tie_word_embeddings is false/,
    config({ tie_word_embeddings: false }),
  ],
  [
    'tie: untied, output alone',
    bad,
    'lacks the tensor wte.weight',
    () => {
      const { config: untied, tensors: all } = tinyCheckpoint({ tied: false });
      all.delete('wte.weight');
      return { 'config.json': JSON.stringify(untied), 'model.safetensors': encodeSafetensors(all) };
    },
  ],
  [
    'tie: the output layer in another shape',
    bad,
    /lm_head.weight in model.safetensors has the shape \[15,8\]; expected \[16,8\]/,
    tensors((all) => {
      all.delete('wte.weight');
      all.set('lm_head.weight', tensor('F32', [15, 8]));
    }),
  ],
  [
    'tensor: adapter',
    unsupported,
    'merge it first',
    tensors((all) => all.set('h.0.attn.c_attn.lora_A.weight', tensor('F32', [2, 8]))),
  ],
  [
    'tensor: head with a bias',
    unsupported,
    'lm_head.bias',
    tensors((all) => all.set('lm_head.bias', tensor('F32', [16]))),
  ],

  // shards
  [
    'index: not JSON',
    bad,
    'model.safetensors.index.json is not JSON',
    () => ({ ...shardedFiles(tinyCheckpoint()), 'model.safetensors.index.json': '{' }),
  ],
  [
    'index: null',
    bad,
    'no weight_map',
    () => ({ ...shardedFiles(tinyCheckpoint()), 'model.safetensors.index.json': 'null' }),
  ],
  ['index: no weight_map', bad, 'no weight_map', sharded(() => ({ metadata: {} }))],
  ['index: empty weight_map', bad, 'no weight_map', sharded(() => ({ weight_map: {} }))],
  [
    'index: a shard that is a number',
    bad,
    'puts wpe.weight into 7',
    sharded((_, index) => {
      index.weight_map[wpe] = 7;
    }),
  ],
  [
    'index: path upwards',
    bad,
    'into "../model.safetensors"',
    sharded((_, index) => {
      index.weight_map[wpe] = '../model.safetensors';
    }),
  ],
  [
    'index: absolute path',
    bad,
    'into "/etc/x.safetensors"',
    sharded((_, index) => {
      index.weight_map[wpe] = '/etc/x.safetensors';
    }),
  ],
  [
    'index: URL',
    bad,
    'into "https://',
    sharded((_, index) => {
      index.weight_map[wpe] = 'https://example.org/x.safetensors';
    }),
  ],
  ...['a/../../x', '../x', 'a/./x', '/x', 'a//x', '%2e%2e/x', 'a\\x', 'c:/x', 'a?x=', 'a#', '.hidden/x', '~/x'].map(
    (path): (typeof cases)[number] => [
      `index: ${path}`,
      bad,
      `puts wpe.weight into ${JSON.stringify(`${path}.safetensors`)}; expected a .safetensors file beside it`,
      sharded((_, index) => {
        index.weight_map[wpe] = `${path}.safetensors`;
      }),
    ],
  ),
  [
    'index: backslashes',
    bad,
    'beside it',
    sharded((_, index) => {
      index.weight_map[wpe] = '..\\x.safetensors';
    }),
  ],
  [
    'shard: absent',
    bad,
    'no model-00002-of-00002.safetensors',
    sharded((contents) => {
      delete contents['model-00002-of-00002.safetensors'];
    }),
  ],
  [
    'shard: cut short',
    bad,
    'model-00001-of-00002.safetensors has',
    sharded((contents) => {
      contents['model-00001-of-00002.safetensors'] = (
        contents['model-00001-of-00002.safetensors'] as Uint8Array<ArrayBuffer>
      ).slice(0, -4);
    }),
  ],
  [
    'shard: tensor in another',
    bad,
    'puts the tensor wpe.weight into model-00001-of-00002.safetensors, which does not hold it',
    sharded((_, index) => {
      index.weight_map[wpe] = 'model-00001-of-00002.safetensors';
    }),
  ],
  [
    'shard: tensor not in the index',
    bad,
    'lacks the tensor wpe.weight',
    sharded((_, index) => {
      delete index.weight_map[wpe];
    }),
  ],
];

/** Opens and checks, as `load` does before it reads any weight. */
async function openAndCheck(contents: Contents): Promise<void> {
  const checkpoint = await openCheckpoint(files(contents));
  checkpoint.check(gpt2Plan(checkpoint.config).weights);
}

describe('a malformed checkpoint is refused before any weight is read', () => {
  test('what they are made from is sound', async () => {
    await openAndCheck(broken({}));
    await openAndCheck(shardedFiles(tinyCheckpoint()));
  });

  test.each(cases)('%s', async (_name, code, message, make) => {
    const contents = make();
    const computed = cpuClock();
    const error = await openAndCheck(contents).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(VitrineError);
    const { code: found, message: said } = error as VitrineError;
    expect(said).toMatch(message);
    expect(found).toBe(code);
    expect(computed()).toBeLessThan(10_000);
  });
});
