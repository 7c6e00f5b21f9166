import { badOption as bad, why } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import { bitmapOf, bitmapRaster, canDraw, type Drawn } from './bitmap.ts';
import { isDrawn, kindOf, sized, sizedCanvas } from './drawn.ts';
import type { Raster } from './raster.ts';
import { decodeInNode } from './sharp.ts';
import { fetchImage, type ImageSource, type RawImage } from './source.ts';

const expected =
  'expected a Blob, a URL, ImageData, an ImageBitmap, a canvas, an image element or { data, width, height, channels }';

/**
 * The pixels of an image, however it is given.
 * @throws VitrineError `bad-option` for what is no image or cannot be decoded, `network` for a URL that gives none
 */
export async function openImage(image: ImageSource, signal?: AbortSignal): Promise<Raster> {
  signal?.throwIfAborted();
  const kind = kindOf(image);
  if (typeof image === 'string') return openFile(await fetchImage(image, signal), `The image ${image}`, signal);
  if (kind === 'URL') return openImage(String(image), signal);
  if (kind === 'Blob' || kind === 'File') return openFile(image as Blob, nameOf(image as Blob), signal);
  if (kind === 'ImageBitmap') return bitmapRaster(sized(image as ImageBitmap, 'The ImageBitmap'), 'the ImageBitmap');
  if (isDrawn(image)) return openDrawn(image, signal);
  if (image !== null && typeof image === 'object' && 'data' in image) return rawRaster(image);
  const found = image === null || typeof image !== 'object' ? show(image) : kind;
  const encoded = 'A file read into memory is passed as new Blob([bytes]).';
  const isBytes = ArrayBuffer.isView(image) || kind === 'ArrayBuffer';
  throw bad(`The image is ${found}; ${expected}.`, isBytes ? encoded : undefined);
}

async function openFile(file: Blob, name: string, signal?: AbortSignal): Promise<Raster> {
  const what = name.length > 100 ? `${name.slice(0, 97)}...` : name;
  if (file.size === 0) throw bad(`${what} is empty.`);
  const opening = await file
    .slice(0, 12)
    .arrayBuffer()
    .catch((cause: unknown) => {
      throw bad(`${what} cannot be read: ${why(cause)}.`, 'A file that was moved or changed is chosen again.');
    });
  const begins = JSON.stringify(String.fromCharCode(...new Uint8Array(opening)));
  const described = `${what} (${file.size} bytes, which begin ${begins})`;
  if (!canDraw()) return rawRaster(await untilAborted(decodeInNode(file, described), signal));
  const bitmap = await bitmapOf(file, described, signal);
  return bitmapRaster(bitmap, what, () => bitmap.close());
}

function nameOf(file: Blob): string {
  return 'name' in file && file.name ? `The image ${file.name}` : 'The image';
}

async function openDrawn(image: Drawn, signal?: AbortSignal): Promise<Raster> {
  const name = `the ${kindOf(image)}`;
  const bitmap = await bitmapOf(sizedCanvas(image), `The ${kindOf(image)}`, signal);
  return bitmapRaster(bitmap, name, () => bitmap.close());
}

/** Bytes as they are, of ImageData too, which is RGBA and does not say so. */
function rawRaster(image: RawImage | ImageData): Raster {
  const { data, width, height } = image;
  const channels = 'channels' in image ? image.channels : 4;
  const isSize = (value: unknown) => Number.isInteger(value) && (value as number) > 0;
  if (!isSize(width) || !isSize(height)) {
    throw bad(`The image has ${show(width)} x ${show(height)} pixels; expected whole numbers above 0.`);
  }
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw bad(`The image has ${show(channels)} channels; expected 1 (grey), 3 (RGB) or 4 (RGBA).`);
  }
  const kind = kindOf(data);
  if (kind !== 'Uint8Array' && kind !== 'Uint8ClampedArray') {
    throw bad(`The image's data is ${kind}; expected a Uint8Array or Uint8ClampedArray.`);
  }
  const length = width * height * channels;
  if (data.length !== length) {
    const needed = `${width} x ${height} pixels of ${channels} channels are ${length}`;
    throw bad(`The image's data has ${data.length} bytes, but ${needed}.`);
  }
  const row = width * channels;
  return { width, height, channels, rows: (first, count) => data.subarray(first * row, (first + count) * row) };
}
