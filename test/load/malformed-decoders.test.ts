import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { type ErrorCode, VitrineError } from '../../src/plan/error.ts';
import { familyCheckpoint } from '../model/families.ts';
import { encodeSafetensors, files, type TensorData, type TinyCheckpoint } from './tiny-checkpoint.ts';

type Case = [name: string, code: ErrorCode, message: string, change: (parts: TinyCheckpoint) => unknown];

const [bad, unsupported] = ['bad-checkpoint', 'unsupported-checkpoint'] as const;
const config =
  (fields: Record<string, unknown>) =>
  (parts: TinyCheckpoint): unknown =>
    Object.assign(parts.config, fields);
const zeros = (...shape: number[]): TensorData => ({
  ...{ dtype: 'F16', shape },
  bytes: new Uint8Array(2 * shape.reduce((a, b) => a * b, 1)),
});
const tensor =
  (name: string, value: TensorData | undefined) =>
  ({ tensors }: TinyCheckpoint): unknown =>
    value ? tensors.set(name, value) : tensors.delete(name);
const rope = (scaling: unknown) => config({ rope_scaling: scaling });

const llama: Case[] = [
  ['no width', bad, 'hidden_size in config.json is missing', ({ config }) => delete config.hidden_size],
  ['width as text', bad, 'hidden_size in config.json is "36"', config({ hidden_size: '36' })],
  [
    'key heads that do not divide',
    bad,
    'num_attention_heads in config.json is 6; expected a multiple of the 4 key heads',
    config({ num_key_value_heads: 4 }),
  ],
  ['key heads 0', bad, 'num_key_value_heads in config.json is 0', config({ num_key_value_heads: 0 })],
  ['heads of an odd width', bad, 'head_dim in config.json is 7', config({ head_dim: 7 })],
  ['another width of heads', bad, 'has the shape', config({ head_dim: 8 })],
  ['epsilon 0', bad, 'rms_norm_eps in config.json is 0', config({ rms_norm_eps: 0 })],
  ['epsilon that is no number', bad, 'rms_norm_eps', config({ rms_norm_eps: 'small' })],
  ['an activation of its own', unsupported, 'hidden_act in config.json is "xielu"', config({ hidden_act: 'xielu' })],
  ['quantised', unsupported, 'quantization_config', config({ quantization_config: { quant_method: 'awq' } })],
  ['longrope', unsupported, 'rope_scaling', rope({ rope_type: 'longrope', short_factor: [1], long_factor: [1] })],
  [
    'a scaling of proportions',
    unsupported,
    'rope_parameters',
    config({ rope_parameters: { rope_type: 'proportional', rope_theta: 1e4 } }),
  ],
  [
    'a scaling of a part of a head',
    unsupported,
    'rope_scaling',
    rope({ type: 'linear', factor: 2, partial_rotary_factor: 0.5 }),
  ],
  ['a scaling for each kind of layer', unsupported, 'rope_scaling', rope({ full_attention: { rope_type: 'default' } })],
  ['a scaling without its factor', bad, 'factor of the rotary scaling', rope({ rope_type: 'linear' })],
  ['a factor below 0', bad, 'factor of the rotary scaling in config.json is -2', rope({ type: 'linear', factor: -2 })],
  ['llama3 without its limits', bad, 'low_freq_factor of the rotary scaling', rope({ rope_type: 'llama3', factor: 8 })],
  ['a scaling as text', bad, 'rope_scaling in config.json is "linear"', rope('linear')],
  ['a base of 0', bad, 'rope_theta', config({ rope_theta: 0 })],
  ['a layer too many', bad, 'lacks the tensor', config({ num_hidden_layers: 3 })],
  ['a layer too few', bad, 'but num_hidden_layers in config.json is 1', config({ num_hidden_layers: 1 })],
  ['no output layer', bad, 'lacks the tensor lm_head.weight', tensor('lm_head.weight', undefined)],
  ['no keys', bad, 'layers.0.self_attn.k_proj.weight', tensor('model.layers.0.self_attn.k_proj.weight', undefined)],
  [
    'a bias that config.json does not have',
    unsupported,
    'layers.0.self_attn.q_proj.bias',
    tensor('model.layers.0.self_attn.q_proj.bias', zeros(36)),
  ],
  [
    'norms of heads',
    unsupported,
    'layers.0.self_attn.q_norm.weight',
    tensor('model.layers.0.self_attn.q_norm.weight', zeros(6)),
  ],
  ['an adapter beside', unsupported, 'lora_A', tensor('model.layers.0.self_attn.q_proj.lora_A.weight', zeros(2, 36))],
  [
    'a head that classifies',
    unsupported,
    'LlamaForSequenceClassification',
    config({ architectures: ['LlamaForSequenceClassification'] }),
  ],
  ['an end that is no id', bad, 'eos_token_id in config.json is', config({ eos_token_id: [2, -1] })],
  ['a vocabulary too small', bad, 'has the shape', config({ vocab_size: 300 })],
];
const qwen2: Case[] = [
  [
    'windows of too few layers',
    bad,
    'layer_types',
    config({ use_sliding_window: true, sliding_window: 4, layer_types: ['full_attention'] }),
  ],
  [
    'layers of another kind',
    unsupported,
    'layer_types',
    config({ use_sliding_window: true, sliding_window: 4, layer_types: ['full_attention', 'chunked_attention'] }),
  ],
  ['a window of 0', bad, 'sliding_window in config.json is 0', config({ use_sliding_window: true, sliding_window: 0 })],
  [
    'a mixture of experts',
    unsupported,
    'model_type in config.json is "qwen2_moe"',
    config({ model_type: 'qwen2_moe' }),
  ],
];
const neox: Case[] = [
  ['no share of a head', bad, 'rotary_pct', config({ rotary_pct: 0.01 })],
  ['more than a head', bad, 'rotary_pct', config({ rotary_pct: 2 })],
  ['width that heads do not divide', bad, 'hidden_size in config.json is 41', config({ hidden_size: 41 })],
  [
    'queries apart',
    unsupported,
    'attention.query.weight',
    tensor('gpt_neox.layers.0.attention.query.weight', zeros(40, 40)),
  ],
];
const neo: Case[] = [
  [
    'too few kinds of attention',
    bad,
    'attention_types',
    config({ attention_layers: null, attention_types: [[['global'], 1]] }),
  ],
  [
    'another kind of attention',
    bad,
    'attention_types',
    config({ attention_layers: null, attention_types: [[['global', 'far'], 1]] }),
  ],
];
const opt: Case[] = [
  ['narrow words', unsupported, 'word_embed_proj_dim in config.json is 16', config({ word_embed_proj_dim: 16 })],
  ['no final norm', unsupported, '_remove_final_layer_norm', config({ _remove_final_layer_norm: true })],
  [
    'norms without weights',
    unsupported,
    'layer_norm_elementwise_affine',
    config({ layer_norm_elementwise_affine: false }),
  ],
  ['norms behind', unsupported, 'do_layer_norm_before', config({ do_layer_norm_before: false })],
];

describe.each([
  ['llama-gqa', llama],
  ['qwen2', qwen2],
  ['gpt-neox', neox],
  ['gpt-neo', neo],
  ['opt', opt],
] as const)('%s', (folder, cases) => {
  test('the fixture itself is sound', async () => {
    const { config, tensors } = await familyCheckpoint(folder);
    const checkpoint = await openCheckpoint(
      files({ 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) }),
    );
    checkpoint.check(checkpoint.family.plan(checkpoint.config).weights);
  });

  test.each([...cases])('%s is refused before any weight is read', async (_, code, message, change) => {
    const parts = await familyCheckpoint(folder);
    change(parts);
    const contents = {
      'config.json': JSON.stringify(parts.config),
      'model.safetensors': encodeSafetensors(parts.tensors),
    };
    const opening = async () => {
      const checkpoint = await openCheckpoint(files(contents));
      checkpoint.check(checkpoint.family.plan(checkpoint.config).weights);
    };
    const error = await opening().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(VitrineError);
    const { code: found, message: said } = error as VitrineError;
    expect(said).toContain(message);
    expect(found).toBe(code);
  });
});
