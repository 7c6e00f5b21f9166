import { describe, expect, test } from 'vitest';
import { type ImageSettings, parseImageSettings } from '../../src/image/settings.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { readFixtureJson } from '../fixtures.ts';

const file = 'preprocessor_config.json';
const parse = (json: unknown, model?: { modelType?: string; channels?: number }) =>
  parseImageSettings(json, file, model);
const halves = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const imagenet = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };

const vit: ImageSettings = {
  channels: 3,
  resize: { size: { height: 224, width: 224 }, resample: 'bilinear' },
  rescaleFactor: 1 / 255,
  normalize: halves,
  flipChannels: false,
};
const deit: ImageSettings = {
  ...vit,
  resize: { size: { height: 256, width: 256 }, resample: 'bicubic' },
  crop: { height: 224, width: 224 },
};

describe('what is absent has the default of its class', () => {
  test.each([
    ['nothing at all', {}, {}, vit],
    ['nulls', { size: null, resample: null, do_resize: null, image_mean: null, crop_size: null }, {}, vit],
    ['the model', {}, { modelType: 'deit' }, deit],
    ['the class before the model', { image_processor_type: 'ViTImageProcessor' }, { modelType: 'deit' }, vit],
    ['ViTFeatureExtractor', { feature_extractor_type: 'ViTFeatureExtractor' }, {}, vit],
    ['ViTImageProcessorFast', { image_processor_type: 'ViTImageProcessorFast' }, {}, vit],
    ['DeiTImageProcessor', { image_processor_type: 'DeiTImageProcessor' }, {}, deit],
    ['DeiTFeatureExtractor', { feature_extractor_type: 'DeiTFeatureExtractor' }, {}, deit],
  ])('%s', (_, json, model, expected) => expect(parse(json, model)).toEqual(expected));

  test('grey models have one mean', () => {
    const { normalize, channels } = parse({}, { channels: 1 });
    expect({ normalize, channels }).toEqual({ normalize: { mean: [0.5], std: [0.5] }, channels: 1 });
  });
});

describe('files as people publish them', () => {
  test('google/vit-base-patch16-224', () => {
    const json = { do_normalize: true, do_resize: true, ...imagenet, resample: 2, size: 224 };
    const { image_mean: mean, image_std: std } = imagenet;
    expect(parse({ ...json, feature_extractor_type: 'ViTFeatureExtractor' })).toEqual({
      ...vit,
      normalize: { mean, std },
    });
  });

  test('facebook/deit-tiny-patch16-224', () => {
    const json = { crop_size: 224, do_center_crop: true, do_normalize: true, do_resize: true, resample: 3, size: 256 };
    const { image_mean: mean, image_std: std } = imagenet;
    const type = { feature_extractor_type: 'DeiTFeatureExtractor' };
    expect(parse({ ...json, ...imagenet, ...type })).toEqual({ ...deit, normalize: { mean, std } });
  });

  test('the vit fixture', async () => {
    const json = await readFixtureJson('families/vit/preprocessor_config.json');
    expect(parse(json)).toEqual({ ...vit, resize: { size: { height: 30, width: 30 }, resample: 'bilinear' } });
  });
});

test.each([
  [384, { height: 384, width: 384 }],
  [[10, 20], { height: 10, width: 20 }],
  [
    { height: 10, width: 20 },
    { height: 10, width: 20 },
  ],
  [
    { height: 10, width: 20, shortest_edge: null },
    { height: 10, width: 20 },
  ],
  [{ shortest_edge: 10 }, { shortestEdge: 10 }],
  [
    { shortest_edge: 10, longest_edge: 30 },
    { shortestEdge: 10, longestEdge: 30 },
  ],
  [{ longest_edge: 30 }, { longestEdge: 30 }],
  [
    { max_height: 10, max_width: 30 },
    { maxHeight: 10, maxWidth: 30 },
  ],
])('size %j', (size, expected) => expect(parse({ size }).resize?.size).toEqual(expected));

test('a number as size, where the file says what it is', () => {
  expect(parse({ size: 9, default_to_square: false }).resize?.size).toEqual({ shortestEdge: 9 });
});

test.each([
  [0, 'nearest'],
  [1, 'lanczos'],
  [2, 'bilinear'],
  [3, 'bicubic'],
  [4, 'box'],
  [5, 'hamming'],
  ['LANCZOS', 'lanczos'],
  ['bicubic', 'bicubic'],
  ['nearest-exact', 'nearest'],
])('resample %j', (resample, expected) => expect(parse({ resample }).resize?.resample).toBe(expected));

test('what is switched off is left out', () => {
  const off = { do_resize: false, do_rescale: false, do_normalize: false, do_center_crop: false, size: 'not read' };
  expect(parse(off, { modelType: 'deit' })).toEqual({ channels: 3, flipChannels: false });
  const on = {
    do_flip_channel_order: true,
    do_center_crop: true,
    crop_size: { height: 3, width: 4 },
    do_convert_rgb: true,
  };
  expect(parse(on)).toEqual({ ...vit, flipChannels: true, crop: { height: 3, width: 4 } });
});

test.each([
  ['bad-checkpoint', 'size', { size: 0 }],
  ['bad-checkpoint', 'size', { size: 224.5 }],
  ['bad-checkpoint', 'size', { size: 1e9 }],
  ['bad-checkpoint', 'size', { size: '224' }],
  ['bad-checkpoint', 'size', { size: [224] }],
  ['bad-checkpoint', 'size', { size: { height: -1, width: 3 } }],
  ['unsupported-checkpoint', 'size', { size: { height: 224 } }],
  ['unsupported-checkpoint', 'size', { size: { height: 224, width: 224, depth: 3 } }],
  ['unsupported-checkpoint', 'size', { size: {} }],
  ['unsupported-checkpoint', 'resample', { resample: 6 }],
  ['unsupported-checkpoint', 'resample', { resample: 'constructor' }],
  ['unsupported-checkpoint', 'resample', { resample: {} }],
  ['bad-checkpoint', 'crop_size', { do_center_crop: true }],
  ['bad-checkpoint', 'crop_size', { do_center_crop: true, crop_size: { shortest_edge: 3 } }],
  ['bad-checkpoint', 'do_resize', { do_resize: 'yes' }],
  ['bad-checkpoint', 'do_convert_rgb', { do_convert_rgb: 1 }],
  ['bad-checkpoint', 'rescale_factor', { rescale_factor: '1/255' }],
  ['bad-checkpoint', 'rescale_factor', { rescale_factor: Number.NaN }],
  ['bad-checkpoint', 'image_mean', { image_mean: [0.5, 0.5] }],
  ['bad-checkpoint', 'image_mean', { image_mean: [0.5, 0.5, null] }],
  ['bad-checkpoint', 'image_mean', { image_mean: 'half' }],
  ['bad-checkpoint', 'image_std', { image_std: [0.5, 0.5, 0] }],
  ['bad-checkpoint', 'image_std', { image_std: Number.POSITIVE_INFINITY }],
  ['unsupported-checkpoint', 'image_processor_type', { image_processor_type: 'ConvNextImageProcessor' }],
  ['unsupported-checkpoint', 'feature_extractor_type', { feature_extractor_type: 'BeitFeatureExtractor' }],
  ['bad-checkpoint', 'image_processor_type', { image_processor_type: 7 }],
  ['unsupported-checkpoint', 'do_pad', { do_pad: true }],
  ['unsupported-checkpoint', 'do_thumbnail', { do_thumbnail: true }],
  ['unsupported-checkpoint', 'crop_pct', { crop_pct: 0.875 }],
  ['unsupported-checkpoint', 'data_format', { data_format: 'channels_last' }],
] as const)('%s for %s: %#', (code, field, json) => {
  const failure = () => parse(json);
  expect(failure).toThrow(VitrineError);
  expect(failure).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(`${field} in ${file} is `) }),
  );
});

test('what is no object, and channels that no image has', () => {
  for (const json of [null, [], 'text', 3]) {
    expect(() => parse(json)).toThrow(expect.objectContaining({ code: 'bad-checkpoint' }));
  }
  expect(() => parse({}, { channels: 4 })).toThrow(/4 channels/);
  expect(() => parse({}, { modelType: 'swin' })).toThrow(expect.objectContaining({ code: 'unsupported-checkpoint' }));
});

test('what changes no pixel is passed over', () => {
  const more = {
    do_pad: false,
    do_reduce_labels: false,
    crop_pct: null,
    data_format: 'channels_first',
    processor_class: 'P',
  };
  expect(parse({ ...more, _valid_processor_keys: ['images'], return_tensors: null, device: null })).toEqual(vit);
});
