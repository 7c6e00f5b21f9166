import { expect, test } from 'vitest';
import { type Resample, resize } from '../../src/image/resample.ts';
import { bytesOf, casesOf, type ResizeCase } from './images.ts';

const cases = await casesOf<ResizeCase>('resize.json');

/** An image that counts the rows that are read at once. */
function rasterOf({ width, height, channels, data }: ResizeCase, read: number[] = []) {
  const bytes = bytesOf(data);
  const row = width * channels;
  const rows = (first: number, count: number) => {
    read.push(count);
    return bytes.subarray(first * row, (first + count) * row);
  };
  return { width, height, channels, rows };
}

const whole = ([width, height]: [number, number]) => ({ width, height, left: 0, top: 0, right: width, bottom: height });

test.each(
  cases.map((one) => [`${one.width} x ${one.height} -> ${one.target.join(' x ')}, ${one.channels}`, one] as const),
)('Pillow, byte for byte: %s', async (_, one) => {
  for (const [filter, resized] of Object.entries(one.resized)) {
    const bytes = await resize(rasterOf(one), one.channels, whole(one.target), filter as Resample);
    expect([...bytes], filter).toEqual([...bytesOf(resized)]);
  }
});

test('a part is that part of the whole', async () => {
  const one = cases.find(({ target }) => target[0] === 39)!;
  const [width, height] = one.target;
  for (const filter of ['lanczos', 'nearest'] as const) {
    const all = bytesOf(one.resized[filter]!);
    const part = { width, height, left: 7, top: 12, right: 31, bottom: 13 };
    const bytes = await resize(rasterOf(one), 3, part, filter);
    expect([...bytes], filter).toEqual([...all.subarray((12 * width + 7) * 3, (12 * width + 31) * 3)]);
  }
});

test('a tall image is read in blocks, which change nothing, and an abort is heard between them', async () => {
  const [width, height] = [2000, 2200]; // 13 MB
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 31) % 251);
  const counts: number[] = [];
  const rows = (first: number, count: number) => {
    counts.push(count);
    return data.subarray(first * width * 3, (first + count) * width * 3);
  };
  const raster = { width, height, channels: 3, rows } as const;
  const target = { width: 20, height: 22 };
  const bytes = await resize(raster, 3, whole([20, 22]), 'bilinear');
  expect(counts.length).toBeGreaterThan(3);
  expect(counts.reduce((sum, count) => sum + count)).toBe(height);
  expect(Math.max(...counts) * width * 3).toBeLessThanOrEqual(1 << 22);
  const strip = { ...target, left: 0, top: 10, right: 20, bottom: 11 }; // fits into one block
  counts.length = 0;
  expect([...(await resize(raster, 3, strip, 'bilinear'))]).toEqual([...bytes.subarray(10 * 60, 11 * 60)]);
  expect(counts).toHaveLength(1);

  const aborter = new AbortController();
  counts.length = 0;
  const aborting = resize(raster, 3, whole([20, 22]), 'bilinear', aborter.signal);
  aborter.abort(new Error('enough'));
  await expect(aborting).rejects.toThrow('enough');
  expect(counts).toHaveLength(1);
});

test('grey is the luma of Pillow, whatever alpha is', async () => {
  const rgba = Uint8Array.of(1, 2, 3, 255, 255, 0, 0, 0, 17, 99, 203, 7);
  const rows = (first: number) => rgba.subarray(first * 12);
  const bytes = await resize({ width: 3, height: 1, channels: 4, rows }, 1, whole([3, 1]), 'nearest');
  expect([...bytes]).toEqual([2, 76, 86]); // Image.convert('L')
});
