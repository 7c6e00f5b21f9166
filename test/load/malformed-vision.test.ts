import { beforeAll, describe, expect, test } from 'vitest';
import { type ErrorCode, VitrineError } from '../../src/plan/error.ts';
import { loadVision } from '../../src/run/load-vision.ts';
import { isFull, testGpu } from '../backends.ts';
import { readFixtureJson } from '../fixtures.ts';
import { familyCheckpoint } from '../model/families.ts';
import { watchingDevices } from '../run/watching-devices.ts';
import { bad, extra, unsupported, without, zeros } from './break-checkpoint.ts';
import { encodeSafetensors, files, type TinyCheckpoint } from './tiny-checkpoint.ts';

interface Parts extends TinyCheckpoint {
  processor: Record<string, unknown>;
}
type Change = (parts: Parts) => unknown;
type Case = [name: string, code: ErrorCode, message: string | RegExp, change: Change];

const config =
  (fields: Record<string, unknown>): Change =>
  (parts) =>
    Object.assign(parts.config, fields);
const processor =
  (fields: Record<string, unknown>): Change =>
  (parts) =>
    Object.assign(parts.processor, fields);

const q = 'vit.encoder.layer.0.attention.attention.query';
const projection = 'vit.embeddings.patch_embeddings.projection';
const cases: Case[] = [
  ['no model_type', unsupported, 'is missing', ({ config }) => delete config.model_type],
  ['another family of images', unsupported, 'model_type in config.json is "swin"', config({ model_type: 'swin' })],
  ['masked images', unsupported, 'architectures', config({ architectures: ['ViTForMaskedImageModeling'] })],
  ['quantised', unsupported, 'quantization_config', config({ quantization_config: { bits: 8 } })],
  ['a decoder', unsupported, 'is_decoder in config.json is true', config({ is_decoder: true })],
  ['heads taken out', unsupported, 'pruned_heads', config({ pruned_heads: { 0: [1] } })],
  [
    'an unknown activation',
    unsupported,
    'hidden_act in config.json is "quick_gelu"',
    config({ hidden_act: 'quick_gelu' }),
  ],
  ['width 0', bad, 'hidden_size in config.json is 0', config({ hidden_size: 0 })],
  ['width as text', bad, 'hidden_size in config.json is "48"', config({ hidden_size: '48' })],
  [
    'heads that do not divide',
    bad,
    'hidden_size in config.json is 48; expected a multiple',
    config({ num_attention_heads: 5 }),
  ],
  ['epsilon 0', bad, 'layer_norm_eps in config.json is 0', config({ layer_norm_eps: 0 })],
  ['an image as text', bad, 'image_size in config.json is "30"', config({ image_size: '30' })],
  ['an image of three sides', bad, 'image_size in config.json', config({ image_size: [30, 30, 30] })],
  ['a patch of 0', bad, 'patch_size in config.json is 0', config({ patch_size: 0 })],
  [
    'patches that do not fit',
    bad,
    'image_size in config.json is 30; expected a multiple of patch_size',
    config({ patch_size: 7 }),
  ],
  ['patches of another size', bad, `${projection}.weight`, config({ patch_size: 5 })],
  ['no channels', bad, 'num_channels in config.json is 0', config({ num_channels: 0 })],
  ['two channels', bad, /channels|shape/, config({ num_channels: 2 })],
  ['biases as a number', bad, 'qkv_bias in config.json is 1', config({ qkv_bias: 1 })],
  ['biases that are not to be', unsupported, 'attention.attention.key.bias', config({ qkv_bias: false })],
  ['a layer too many', bad, 'lacks the tensor encoder.layer.2', config({ num_hidden_layers: 3 })],
  ['a layer too few', bad, 'num_hidden_layers in config.json is 1', config({ num_hidden_layers: 1 })],
  ['labels that leave one out', bad, 'id2label', config({ id2label: { 0: 'a', 2: 'b' } })],
  ['labels as text', bad, 'id2label', config({ id2label: 'boats' })],
  ['another number of labels', bad, 'classifier.weight', config({ id2label: { 0: 'a', 1: 'b' } })],
  [
    'an unknown kind of answer',
    unsupported,
    'problem_type in config.json is "ranking"',
    config({ problem_type: 'ranking' }),
  ],
  ['no class token', bad, 'lacks the tensor embeddings.cls_token', without('vit.embeddings.cls_token')],
  [
    'no positions',
    bad,
    'lacks the tensor embeddings.position_embeddings',
    without('vit.embeddings.position_embeddings'),
  ],
  ['no last norm', bad, 'lacks the tensor layernorm.weight', without('vit.layernorm.weight')],
  ['no bias of a query', bad, 'query.bias', without(`${q}.bias`)],
  ['a classifier without bias', bad, 'classifier.bias', without('classifier.bias')],
  ['positions of a larger image', bad, 'has the shape', extra('vit.embeddings.position_embeddings', zeros(1, 50, 48))],
  ['scales of layers', unsupported, 'layer_scale', extra('vit.encoder.layer.0.layer_scale1.lambda1', zeros(48))],
  ['both spellings of a name', bad, 'holds both', extra(`${projection.slice(4)}.weight`, zeros(48, 3, 6, 6))],
  [
    'whole numbers as weights',
    unsupported,
    'is stored as I64',
    extra('vit.layernorm.bias', { dtype: 'I64', shape: [48], bytes: new Uint8Array(384) }),
  ],
  [
    'a weight that is no number',
    bad,
    'NaN',
    extra('vit.layernorm.bias', { ...zeros(48), bytes: new Uint8Array(96).fill(255) }),
  ],
  ['a DeiT of other positions', bad, 'expected [1,27,48]', config({ model_type: 'deit' })],
  [
    'a DeiT without its token',
    bad,
    'lacks the tensor embeddings.distillation_token',
    (parts) => {
      config({ model_type: 'deit' })(parts);
      extra('vit.embeddings.position_embeddings', zeros(1, 27, 48))(parts);
    },
  ],
  [
    'a processor that is a list',
    bad,
    'preprocessor_config.json holds',
    (parts) => Object.assign(parts, { processor: [] }),
  ],
  ['images of another size', bad, 'makes images of 28 x 28 pixels; expected 30 x 30', processor({ size: 28 })],
  ['a size as text', bad, 'size in preprocessor_config.json is "30"', processor({ size: '30' })],
  ['a size of 0', bad, 'size in preprocessor_config.json', processor({ size: { height: 0, width: 30 } })],
  ['a spread of 0', bad, 'image_std', processor({ image_std: [0.5, 0, 0.5] })],
  ['means of two channels', bad, 'image_mean', processor({ image_mean: [0.5, 0.5] })],
  ['an unknown filter', unsupported, 'resample in preprocessor_config.json is 9', processor({ resample: 9 })],
  ['images that are padded', unsupported, 'do_pad', processor({ do_pad: true })],
  [
    'another processor',
    unsupported,
    'image_processor_type',
    processor({ image_processor_type: 'DonutImageProcessor' }),
  ],
  ['a flag as a number', bad, 'do_resize', processor({ do_resize: 1 })],
];

describe('a malformed or unsupported image encoder', () => {
  let sound: Parts;
  beforeAll(async () => {
    const preprocessor = await readFixtureJson<Record<string, unknown>>('families/vit/preprocessor_config.json');
    sound = { ...(await familyCheckpoint('vit')), processor: preprocessor };
  });

  const filesOf = (change: Change) => {
    const parts: Parts = {
      config: structuredClone(sound.config),
      tensors: new Map(sound.tensors),
      processor: structuredClone(sound.processor),
    };
    change(parts);
    return files({
      'config.json': JSON.stringify(parts.config),
      'model.safetensors': encodeSafetensors(parts.tensors),
      'preprocessor_config.json': JSON.stringify(parts.processor),
    });
  };

  test('there are 25 and more, and the sound one loads', async () => {
    expect(cases.length).toBeGreaterThanOrEqual(25);
    expect(new Set(cases.map(([name]) => name)).size).toBe(cases.length);
    (
      await loadVision(
        filesOf(() => {}),
        { device: 'cpu' },
      )
    ).dispose();
  });

  test.each(cases)('%s', async (_, code, message, change) => {
    const error: unknown = await loadVision(filesOf(change), { device: 'cpu' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(VitrineError);
    const { code: found, message: said } = error as VitrineError;
    expect(said).toMatch(message);
    expect(found).toBe(code);
  });

  test.runIf(isFull)('leaves nothing allocated on a GPU', async () => {
    await testGpu();
    await watchingDevices(async (devices, buffers) => {
      for (const [name, , , change] of cases) {
        const loading = loadVision(filesOf(change), { device: 'webgpu' });
        await expect(loading, name).rejects.toBeInstanceOf(VitrineError);
        expect(buffers.size, name).toBe(0);
      }
      // All but the weight that is no number are found before a device is asked for.
      expect(devices.length).toBeLessThanOrEqual(1);
    });
  });
});
