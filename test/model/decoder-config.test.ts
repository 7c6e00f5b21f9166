import { describe, expect, test } from 'vitest';
import { Fields } from '../../src/model/fields.ts';
import { gptNeox } from '../../src/model/gpt-neox.ts';
import { llama } from '../../src/model/llama.ts';

const small = {
  ...{ vocab_size: 96, hidden_size: 48, num_hidden_layers: 3, num_attention_heads: 6, intermediate_size: 50 },
  max_position_embeddings: 64,
};
type Json = Record<string, unknown>;
const read = (model_type: string, more: Json) => {
  const family = model_type === 'gpt_neox' ? gptNeox : llama;
  return family.config(new Fields({ model_type, ...small, ...more }, 'config.json'), () => true) as unknown as Json;
};

/** What transformers 5.24 makes of fields that say the same, or that another outweighs. */
const same: [string, string, Json, Json][] = [
  [
    'rope_scaling is before rope_parameters',
    'llama',
    { rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_type: 'default', rope_theta: 99 } },
    { rope_parameters: { rope_type: 'linear', factor: 2 } },
  ],
  [
    'an empty rope_scaling is none',
    'llama',
    { rope_scaling: {}, rope_parameters: { rope_theta: 99 } },
    { rope_theta: 99 },
  ],
  [
    'the base of rope_parameters is before that of the file',
    'llama',
    { rope_theta: 7, rope_parameters: { rope_type: 'default', rope_theta: 99 } },
    { rope_theta: 99 },
  ],
  [
    'the first length of the whole file',
    'llama',
    { original_max_position_embeddings: 16, rope_scaling: { rope_type: 'yarn', factor: 4 } },
    { rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 } },
  ],
  [
    'the factor of a yarn without one',
    'llama',
    { rope_scaling: { rope_type: 'yarn', factor: null, original_max_position_embeddings: 16 } },
    { rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 } },
  ],
  [
    'llama3 without a first length',
    'llama',
    { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 } },
    {
      original_max_position_embeddings: 64,
      rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
    },
  ],
  ['a pad of -1 is none', 'llama', { pad_token_id: -1 }, {}],
  ['heads are turned whole without a scaling', 'llama', { partial_rotary_factor: 0.5 }, {}],
  ["windows are Mistral's and Qwen's", 'llama', { sliding_window: 5, layer_types: ['sliding_attention'] }, {}],
  [
    "Mistral's window, where none is named",
    'mistral',
    { num_key_value_heads: 2 },
    { num_key_value_heads: 2, sliding_window: 4096 },
  ],
  ["no biases are Mistral's", 'mistral', { num_key_value_heads: 2, attention_bias: true }, { num_key_value_heads: 2 }],
  [
    "Qwen's window, where none is named",
    'qwen2',
    { use_sliding_window: true, max_window_layers: 1 },
    { use_sliding_window: true, sliding_window: 4096, max_window_layers: 1 },
  ],
  ['a window that is not in use', 'qwen2', { sliding_window: 5, max_window_layers: 0 }, {}],
  ["all biases are Qwen2's", 'qwen2', { attention_bias: false, mlp_bias: true }, {}],
  [
    'the base of older GPT-NeoX',
    'gpt_neox',
    { rotary_emb_base: 100, rope_theta: 300 },
    { rope_parameters: { rope_theta: 100 } },
  ],
  [
    'its share of a head',
    'gpt_neox',
    { rotary_pct: 1, rope_parameters: { rope_theta: 7, partial_rotary_factor: 0.5 } },
    { rotary_pct: 0.5, rotary_emb_base: 7, partial_rotary_factor: 1 },
  ],
  ['gelu under other names', 'gpt_neox', { hidden_act: 'gelu_python' }, { hidden_act: 'gelu' }],
  ["its tanh's too", 'llama', { hidden_act: 'gelu_fast' }, { hidden_act: 'gelu_new' }],
];

describe('fields of config.json that say the same', () => {
  test.each(same)('%s', (_, modelType, found, expected) => {
    expect(read(modelType, found)).toEqual(read(modelType, expected));
  });
});

test('no window is null', () => {
  const windows = (sliding_window: unknown) =>
    read('mistral', { num_key_value_heads: 2, sliding_window }).windows as unknown[];
  expect([...new Set([...windows(null), ...windows(undefined)])]).toEqual([undefined, 4096]);
});

test('an odd share of a head turns one more, at the speeds of the odd number', () => {
  // 0.4 of 8 is 3.
  const { rotary } = read('gpt_neox', { rotary_pct: 0.4 }) as { rotary: { frequencies: number[] } };
  expect(rotary.frequencies).toEqual([1, 10_000 ** (-2 / 3)]);
});
