import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { preprocess } from '../../src/image/preprocess.ts';
import { sendableImage } from '../../src/image/sendable.ts';
import type { ImageSource } from '../../src/image/source.ts';
import { asBytes, bytesIn, bytesOf, casesOf, type FileCase, failure, interleaved, vitTensors } from './images.ts';

const files = await casesOf<FileCase>('files.json');
const blobOf = (name: string): Blob => {
  const type = name.endsWith('.jpg') ? 'image/jpeg' : `image/${name.split('.').pop()}`;
  return new Blob([bytesOf(files.find((one) => one.name === name)!.file)], { type });
};
const rgbOf = (name: string): number[] => [...bytesOf(files.find((one) => one.name === name)!.rgb)];

describe('files, decoded by the browser', () => {
  test.each(files.map((one) => [one.name, one] as const))('%s', async (name, { width, height, rgb }) => {
    const { pixels, shape } = await preprocess(blobOf(name), asBytes);
    expect(shape).toEqual([3, height, width]);
    const bytes = interleaved(pixels, shape);
    const expected = bytesOf(rgb);
    const distance = Math.max(...bytes.map((byte, i) => Math.abs(byte - expected[i]!)));
    expect(distance).toBeLessThanOrEqual(name.endsWith('.jpg') ? 1 : 0);
  });

  test.each(['image0', 'image1', 'image2', 'image3'])('the vit fixture: %s', async (name) => {
    const tensor = await vitTensors();
    expect(await bytesIn(`/test/fixtures/families/vit/${name}.png`)).toEqual([...tensor(`${name}.rgb`).bytes]);
  });

  test('without WebGL the colours of transparent pixels are lost, as on a canvas, and opaque ones are exact', async () => {
    const { prototype } = OffscreenCanvas;
    const { getContext } = prototype;
    prototype.getContext = function (this: OffscreenCanvas, ...call: [never]) {
      return call[0] === 'webgl' ? null : getContext.apply(this, call);
    } as typeof getContext;
    const bytes = await bytesIn(blobOf('transparent.png')).finally(() => (prototype.getContext = getContext));
    const third = 3 * 12 * 3; // three rows are transparent, three half so, three opaque
    expect(bytes.slice(0, third)).toEqual(Array(third).fill(0));
    expect(bytes.slice(2 * third)).toEqual(rgbOf('transparent.png').slice(2 * third));
    expect(rgbOf('transparent.png').slice(0, third)).not.toEqual(Array(third).fill(0));
  });
});

describe('what a page has', () => {
  const name = 'opaque.png';
  const expected = rgbOf(name);
  let data: ImageData;
  beforeAll(() => {
    const rgba = new Uint8ClampedArray((expected.length / 3) * 4).fill(255);
    for (let i = 0; i < rgba.length; i++) if (i % 4 < 3) rgba[i] = expected[Math.floor(i / 4) * 3 + (i % 4)]!;
    data = new ImageData(rgba, 12, 9);
  });

  test('ImageData', async () => expect(await bytesIn(data)).toEqual(expected));

  test('an ImageBitmap, which stays open', async () => {
    const bitmap = await createImageBitmap(data);
    expect(await bytesIn(bitmap)).toEqual(expected);
    expect(bitmap.width).toBe(12);
    bitmap.close();
    expect(await failure(bitmap)).toMatchObject({ code: 'bad-option', message: 'The ImageBitmap has 0 x 0 pixels.' });
  });

  test('canvases', async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 12, height: 9 });
    canvas.getContext('2d')!.putImageData(data, 0, 0);
    expect(await bytesIn(canvas)).toEqual(expected);
    const offscreen = new OffscreenCanvas(12, 9);
    offscreen.getContext('2d')!.putImageData(data, 0, 0);
    expect(await bytesIn(offscreen)).toEqual(expected);
    expect(await bytesIn(document.createElement('canvas'))).toEqual(Array(300 * 150 * 3).fill(0)); // nothing was drawn
    expect(await failure(new OffscreenCanvas(1, 1))).toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining('The OffscreenCanvas could not be decoded'),
    });
    expect(await failure(new OffscreenCanvas(0, 3))).toMatchObject({
      code: 'bad-option',
      message: 'The OffscreenCanvas has 0 x 3 pixels.',
    });
  });

  test('a large one, strip by strip, transparent or not', async () => {
    const [width, height] = [1300, 2500]; // 13 MB
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
    const slope = context.createLinearGradient(0, 0, width, height);
    for (const [at, colour] of [
      [0, 'red'],
      [0.3, 'blue'],
      [1, 'lime'],
    ] as const)
      slope.addColorStop(at, colour);
    context.fillStyle = slope;
    context.fillRect(0, 0, width, height);
    const settings = { ...asBytes, resize: { size: { height: 50, width: 26 }, resample: 'bicubic' } } as const;
    const opaque = await preprocess(context.getImageData(0, 0, width, height), settings);
    expect((await preprocess(context.canvas, settings)).pixels).toEqual(opaque.pixels);
    context.clearRect(0, 2300, width, 200); // its last strips
    const clear = await preprocess(context.getImageData(0, 0, width, height), settings);
    expect(clear.pixels).not.toEqual(opaque.pixels);
    expect((await preprocess(context.canvas, settings)).pixels).toEqual(clear.pixels);
  });

  test('an image element, also one that is still loading, turned as EXIF says', async () => {
    const image = new Image();
    image.src = URL.createObjectURL(blobOf(name));
    expect(await bytesIn(image)).toEqual(expected);
    expect(await bytesIn(image)).toEqual(expected);
    image.src = URL.createObjectURL(blobOf('orientation-6.png'));
    expect(await bytesIn(image)).toEqual(rgbOf('orientation-6.png'));
    expect(await failure(new Image())).toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining('The HTMLImageElement could not be decoded'),
    });
  });

  test('a URL of the page’s own', async () => {
    const url = URL.createObjectURL(blobOf(name));
    expect(await bytesIn(url)).toEqual(expected);
    URL.revokeObjectURL(url);
    expect(await failure(url)).toMatchObject({ code: 'network', message: expect.stringContaining(url) });
  });

  test('what another origin shows and does not share', async () => {
    const image = new Image();
    image.src =
      'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"><foreignObject/></svg>';
    await image.decode();
    const bitmap = await createImageBitmap(image);
    const getImageData = vi.spyOn(OffscreenCanvasRenderingContext2D.prototype, 'getImageData');
    getImageData.mockImplementation(() => {
      throw new DOMException('The canvas has been tainted by cross-origin data.', 'SecurityError');
    });
    const error = await failure(bitmap);
    getImageData.mockRestore();
    expect(error).toMatchObject({ code: 'bad-option', hint: expect.stringContaining("crossorigin='anonymous'") });
  });
});

describe('what is no image', () => {
  test.each([
    ['an empty file', new Blob([]), 'The image is empty.'],
    [
      'a page',
      new File(['<!doctype html>'], 'cat.png', { type: 'image/png' }),
      'The image cat.png (15 bytes, which begin',
    ],
    ['half a PNG', blobOf('rgb.png').slice(0, 60), 'could not be decoded'],
    ['half a JPEG', blobOf('photo.jpg').slice(0, 400), 'could not be decoded'],
    ['an element that is none', document.createElement('div'), 'The image is HTMLDivElement; expected a Blob'],
  ])('%s', async (_, image, message) => {
    expect(await failure(image)).toMatchObject({ code: 'bad-option', message: expect.stringContaining(message) });
  });

  test('an address without an image', async () => {
    expect(await failure('/check.html')).toMatchObject({
      code: 'network',
      message: expect.stringContaining('is a web page'),
    });
    expect(await failure('http://localhost:1/cat.png')).toMatchObject({ code: 'network' });
  });

  test('an abort while the browser decodes', async () => {
    const aborter = new AbortController();
    const decoding = failure(blobOf('photo.jpg'), aborter.signal);
    const reason = new Error('enough');
    aborter.abort(reason);
    expect(await decoding).toBe(reason);
  });
});

describe('in a worker', () => {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  afterAll(() => worker.terminate());

  async function bytesInWorker(image: ImageSource): Promise<number[]> {
    const sendable = await sendableImage(image);
    const answer = new Promise<MessageEvent>((resolve) => (worker.onmessage = resolve));
    worker.postMessage(sendable.image, sendable.transfer);
    const { pixels, shape } = (await answer).data;
    return interleaved(pixels, shape);
  }

  test('whatever the page has arrives there', async () => {
    for (const name of ['transparent.png', 'orientation-6.jpg']) {
      const expected = await bytesIn(blobOf(name));
      expect(await bytesInWorker(blobOf(name)), name).toEqual(expected);
      expect(await bytesInWorker(new URL(URL.createObjectURL(blobOf(name)))), name).toEqual(expected);
      const image = new Image();
      image.src = URL.createObjectURL(blobOf(name));
      expect(await bytesInWorker(image), name).toEqual(expected);
    }
    const canvas = new OffscreenCanvas(3, 2);
    canvas.getContext('2d')!.fillStyle = '#102030';
    (canvas.getContext('2d') as OffscreenCanvasRenderingContext2D).fillRect(0, 0, 3, 2);
    expect(await bytesInWorker(canvas)).toEqual(Array(6).fill([16, 32, 48]).flat());
    expect(canvas.width).toBe(3); // it was copied, not handed over
    const raw = { data: Uint8Array.of(1, 2, 3), width: 1, height: 1, channels: 3 } as const;
    expect(await bytesInWorker(raw)).toEqual([1, 2, 3]);
    expect(raw.data).toHaveLength(3);
    const relative = './test/fixtures/families/vit/image0.png';
    expect(await bytesInWorker(new URL(relative, location.origin).pathname)).toEqual(
      await bytesIn(new URL(relative, location.origin)),
    );
  });
});
