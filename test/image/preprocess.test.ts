import { describe, expect, test } from 'vitest';
import { preprocess } from '../../src/image/preprocess.ts';
import { type ImageSettings, parseImageSettings } from '../../src/image/settings.ts';
import { readFixtureJson, readModelFile } from '../fixtures.ts';
import { asBytes, bytesOf, casesOf, interleaved, type PreprocessCase, rawOf, vitTensors } from './images.ts';

const cases = await casesOf<PreprocessCase>('preprocess.json');

test.each(cases.map((one) => [JSON.stringify(one.settings), one] as const))('transformers, %s', async (_, one) => {
  const { pixels, shape } = await preprocess(rawOf(one), parseImageSettings(one.settings, 'the case'));
  expect(shape).toEqual(one.shape);
  expect([...pixels]).toEqual([...new Float32Array(bytesOf(one.pixels).buffer)]);
});

describe('the vit fixture', async () => {
  const settings = parseImageSettings(await readFixtureJson('families/vit/preprocessor_config.json'), 'the fixture');
  const tensor = await vitTensors();
  const imageOf = (name: string) => {
    const { shape, bytes } = tensor(`${name}.rgb`);
    return { data: bytes, height: shape[0]!, width: shape[1]!, channels: 3 } as const;
  };

  test.each(['image0', 'image1', 'image2', 'image3'])('%s', async (name) => {
    const { pixels, shape } = await preprocess(imageOf(name), settings);
    expect([1, ...shape]).toEqual(tensor(`${name}.pixel_values`).shape);
    const expected = new Float32Array(tensor(`${name}.pixel_values`).bytes.buffer); // of float64, and rounded once
    expect(Math.max(...pixels.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-7);
  });

  test.each(['image2', 'image3'])('%s, resized, byte for byte', async (name) => {
    const { channels, resize, flipChannels } = settings;
    const { pixels, shape } = await preprocess(imageOf(name), { channels, resize, flipChannels });
    expect(interleaved(pixels, shape)).toEqual([...tensor(`${name}.resized_rgb`).bytes]);
  });
});

test('a digit, 28 x 28 grey bytes, as tiny-digits reads it', async () => {
  const json = async (file: string) => JSON.parse(new TextDecoder().decode(await readModelFile(`tiny-digits/${file}`)));
  const settings = parseImageSettings(await json('preprocessor_config.json'), 'preprocessor_config.json');
  const { cases: digits } = await json('reference.json');
  for (const digit of digits as { pixels: number[] }[]) {
    const image = { data: Uint8Array.from(digit.pixels), width: 28, height: 28, channels: 1 } as const;
    const { pixels, shape } = await preprocess(image, settings);
    expect(shape).toEqual([3, 28, 28]);
    const plane = digit.pixels.map((value) => (value / 255 - 0.5) / 0.5);
    const distances = pixels.map((value, i) => Math.abs(value - plane[i % plane.length]!));
    expect(Math.max(...distances)).toBeLessThan(1e-7);
  }
});

const grey = { data: Uint8Array.of(0, 51, 102, 255), width: 2, height: 2, channels: 1 } as const;
const values = async (image: Parameters<typeof preprocess>[0], settings: ImageSettings) => [
  ...(await preprocess(image, settings)).pixels,
];

test('grey stands in each channel, and colour becomes grey for a model of one', async () => {
  expect(await values(grey, asBytes)).toEqual([...grey.data, ...grey.data, ...grey.data]);
  const rgb = { data: Uint8Array.of(1, 2, 3, 255, 0, 0, 17, 99, 203), width: 3, height: 1, channels: 3 } as const;
  expect(await values(rgb, { ...asBytes, channels: 1 })).toEqual([2, 76, 86]);
  expect(await values(grey, { ...asBytes, channels: 1 })).toEqual([...grey.data]);
});

test('alpha is dropped, not blended, as by PIL', async () => {
  const rgba = { data: Uint8Array.of(10, 20, 30, 0, 40, 50, 60, 128), width: 2, height: 1, channels: 4 } as const;
  expect(await values(rgba, asBytes)).toEqual([10, 40, 20, 50, 30, 60]);
});

test('channels in the order of BGR', async () => {
  const normalize = { mean: [1, 2, 3], std: [1, 1, 1] };
  const rgb = { data: Uint8Array.of(10, 20, 30), width: 1, height: 1, channels: 3 } as const;
  expect(await values(rgb, { ...asBytes, normalize, flipChannels: true })).toEqual([27, 18, 9]);
});

test('black around an image that is smaller than its crop is normalised like the rest', async () => {
  const normalize = { mean: [1], std: [2] };
  const settings: ImageSettings = { channels: 1, flipChannels: false, crop: { height: 3, width: 1 }, normalize };
  expect(await values({ ...grey, width: 1, height: 1, data: Uint8Array.of(9) }, settings)).toEqual([-0.5, 4, -0.5]);
});

/** Sizes by transformers: get_resize_output_image_size, get_size_with_aspect_ratio, get_image_size_for_max_height_width; SAM's longest edge. */
test.each([
  [{ shortestEdge: 5 }, [7, 10], [5, 7]],
  [{ shortestEdge: 5 }, [10, 7], [7, 5]],
  [{ shortestEdge: 7 }, [7, 10], [7, 10]],
  [{ shortestEdge: 3 }, [1, 50], [3, 150]],
  [{ shortestEdge: 5, longestEdge: 6 }, [7, 10], [4, 6]],
  [{ shortestEdge: 5, longestEdge: 100 }, [7, 10], [5, 7]],
  [{ longestEdge: 8 }, [7, 10], [6, 8]],
  [{ longestEdge: 3 }, [1, 50], [1, 3]],
  [{ maxHeight: 4, maxWidth: 20 }, [7, 10], [4, 5]],
])('size %j', async (size, [height, width], expected) => {
  const image = { data: new Uint8Array(height! * width!), width: width!, height: height!, channels: 1 } as const;
  const { shape } = await preprocess(image, { ...asBytes, channels: 1, resize: { size, resample: 'nearest' } });
  expect(shape).toEqual([1, ...expected]);
});

test('a result beyond reason is refused before anything is computed, and a crop of one is not', async () => {
  const strip = { data: new Uint8Array(100_000), width: 100_000, height: 1, channels: 1 } as const;
  const settings: ImageSettings = { ...asBytes, resize: { size: { shortestEdge: 224 }, resample: 'bilinear' } };
  await expect(preprocess(strip, settings)).rejects.toMatchObject({
    code: 'bad-option',
    message: expect.stringContaining('22400000 x 224'),
  });
  const { shape } = await preprocess(strip, { ...settings, crop: { height: 224, width: 224 } });
  expect(shape).toEqual([3, 224, 224]);
});

test('a signal that aborted', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(preprocess(grey, asBytes, { signal })).rejects.toThrow('enough');
});
