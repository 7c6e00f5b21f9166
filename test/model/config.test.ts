import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/model/config.ts';
import { Fields } from '../../src/model/fields.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { readFixtureJson } from '../fixtures.ts';

const small = { n_embd: 8, n_layer: 1, n_head: 2, n_positions: 8, vocab_size: 60_000 };
const parseConfig = (json: unknown, file: string) => readConfig(new Fields(json, file, undefined, 'GPT-2'));
const parse = (fields: Record<string, unknown>) => parseConfig({ ...small, ...fields }, 'config.json');

function refusal(fields: Record<string, unknown>): VitrineError {
  try {
    parse(fields);
  } catch (error) {
    if (error instanceof VitrineError) return error;
    throw error;
  }
  throw new Error('was taken');
}

describe('config.json', () => {
  test("absent fields have transformers' defaults", () => {
    expect(parse({})).toEqual({
      nLayer: 1,
      nHead: 2,
      nEmbd: 8,
      nInner: 32,
      nCtx: 8,
      vocabSize: 60_000,
      activation: 'gelu_new',
      layerNormEpsilon: 1e-5,
      scaleAttnWeights: true,
      scaleAttnByInverseLayerIdx: false,
      tieWordEmbeddings: true,
      bosTokenId: 50256,
      eosTokenIds: [50256],
    });
  });

  test('null is absent, as Python writes it', () => {
    const absent = { n_inner: null, activation_function: null, layer_norm_epsilon: null, scale_attn_weights: null };
    expect(parse({ ...absent, tie_word_embeddings: null, model_type: null })).toEqual(parse({}));
  });

  test('every field is read', () => {
    const config = parse({
      n_inner: 24,
      activation_function: 'relu',
      layer_norm_epsilon: 1e-6,
      scale_attn_weights: false,
      scale_attn_by_inverse_layer_idx: true,
      reorder_and_upcast_attn: true,
      tie_word_embeddings: false,
      bos_token_id: 1,
      eos_token_id: [2, 3],
    });
    expect(config).toMatchObject({ nInner: 24, activation: 'relu', layerNormEpsilon: 1e-6, scaleAttnWeights: false });
    expect(config).toMatchObject({ scaleAttnByInverseLayerIdx: true, tieWordEmbeddings: false });
    expect(config).toMatchObject({ bosTokenId: 1, eosTokenIds: [2, 3] });
  });

  test('n_ctx stands in for n_positions, and only then', () => {
    expect(parse({ n_positions: undefined, n_ctx: 5 }).nCtx).toBe(5);
    expect(parse({ n_ctx: 5 }).nCtx).toBe(8);
    expect(refusal({ n_positions: undefined }).message).toContain('n_positions in config.json is missing');
    expect(refusal({ n_positions: undefined, n_ctx: 'a' }).message).toContain('n_ctx in config.json is "a"');
  });

  test.each([
    ['gelu_new', 'gelu_new'],
    ['gelu_pytorch_tanh', 'gelu_new'],
    ['gelu', 'gelu'],
    ['relu', 'relu'],
    ['silu', 'silu'],
    ['swish', 'silu'],
  ])('activation_function %s', (name, activation) => {
    expect(parse({ activation_function: name }).activation).toBe(activation);
  });

  test('token ids: none, one, several, beyond the vocabulary', () => {
    expect(parse({ eos_token_id: null, bos_token_id: null })).toMatchObject({ eosTokenIds: [], bosTokenId: null });
    expect(parse({ eos_token_id: 0 }).eosTokenIds).toEqual([0]);
    expect(parse({ vocab_size: 16, eos_token_id: [3, 50256] })).toMatchObject({ eosTokenIds: [3], bosTokenId: null });
  });

  test('fields that change nothing here are left alone', () => {
    const others = { resid_pdrop: 0.1, architectures: ['GPT2LMHeadModel'], task_specific_params: {}, pruned_heads: {} };
    expect(parse({ ...others, quantization_config: null, add_cross_attention: false })).toEqual(parse({}));
  });

  test.each(['n_embd', 'n_layer', 'n_head', 'n_positions', 'vocab_size', 'n_inner'])('%s must be a size', (name) => {
    for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '8', true, [8], {}]) {
      const { code, message } = refusal({ [name]: value });
      expect(code).toBe('bad-checkpoint');
      expect(message).toMatch(new RegExp(`^${name} in config.json is .+; expected an integer from 1 to \\d+\\.$`));
    }
  });

  test.each([
    ['n_head', 3, 'bad-checkpoint', 'expected a multiple of n_head, which is 3'],
    ['layer_norm_epsilon', '1e-5', 'bad-checkpoint', 'expected a number between 0 and 1'],
    ['layer_norm_epsilon', Number.NaN, 'bad-checkpoint', 'layer_norm_epsilon in config.json is NaN'],
    ['scale_attn_weights', 1, 'bad-checkpoint', 'expected true or false'],
    ['bos_token_id', -1, 'bad-checkpoint', 'bos_token_id in config.json is -1'],
    ['eos_token_id', ['50256'], 'bad-checkpoint', 'eos_token_id in config.json is ["50256"]'],
    ['model_type', 'gpt_neo', 'unsupported-checkpoint', 'expected "gpt2"'],
    ['model_type', 7, 'unsupported-checkpoint', 'model_type in config.json is 7'],
    ['activation_function', 'tanh', 'unsupported-checkpoint', 'expected gelu_new, gelu_pytorch_tanh, gelu'],
    ['add_cross_attention', true, 'unsupported-checkpoint', 'expected false'],
    ['is_encoder_decoder', true, 'unsupported-checkpoint', 'is_encoder_decoder'],
    ['quantization_config', { bits: 8 }, 'unsupported-checkpoint', '{"bits":8}; expected null'],
    ['pruned_heads', { 0: [1] }, 'unsupported-checkpoint', 'pruned_heads'],
  ])('%s %j is refused', (name, value, code, message) => {
    const error = refusal({ [name]: value });
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  test.each([null, [], 'gpt2', 7, undefined])('%j is no config', (json) => {
    expect(() => parseConfig(json, 'x.json')).toThrow(/^x\.json holds .*; expected an object/);
  });

  test('those of the fixtures', async () => {
    const tiny = parseConfig(await readFixtureJson('tiny-gpt2/config.json'), 'config.json');
    expect(tiny).toMatchObject({ nEmbd: 96, nHead: 3, nLayer: 3, nCtx: 128, vocabSize: 1000, eosTokenIds: [999] });
    const sort = parseConfig(await readFixtureJson('nano-sort/config.json'), 'config.json');
    expect(sort).toMatchObject({ nEmbd: 48, nInner: 192, nCtx: 11, tieWordEmbeddings: false, eosTokenIds: [] });
  });
});
