import { badOption } from '../plan/error.ts';
import { openImage } from './open.ts';
import type { Raster } from './raster.ts';
import { type Resample, resize, type Target } from './resample.ts';
import type { ImageSettings, ImageSize } from './settings.ts';
import type { ImageSource } from './source.ts';

/** An image as a model reads it. */
export interface Pixels {
  /** Values [channels, height, width], normalised. */
  pixels: Float32Array;
  shape: [channels: number, height: number, width: number];
}

/** No model reads more pixels: 200 MB of them in three channels. */
const mostPixels = 1 << 24;

/**
 * An image as the model's processor in transformers makes it: EXIF's rotation undone, alpha dropped and not blended,
 * as grey or RGB, resized as PIL does it, cropped, rescaled, normalised. Colour profiles are not applied.
 * @throws VitrineError `bad-option` for what is no image, cannot be decoded, or becomes too large; `network` for a URL that
 *   gives none
 */
export async function preprocess(
  image: ImageSource,
  settings: ImageSettings,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Pixels> {
  const { signal } = options;
  const raster = await openImage(image, signal);
  try {
    return await preprocessRaster(raster, settings, signal);
  } finally {
    raster.close?.();
  }
}

async function preprocessRaster(raster: Raster, settings: ImageSettings, signal?: AbortSignal): Promise<Pixels> {
  const whole = settings.resize ? resizedSize(raster, settings.resize.size) : raster;
  const { height, width } = settings.crop ?? whole;
  if (height * width > mostPixels) {
    const message = `An image of ${raster.width} x ${raster.height} pixels would become one of ${width} x ${height}`;
    throw badOption(`${message}, more than ${mostPixels} pixels.`);
  }
  const top = Math.floor((whole.height - height) / 2); // below 0 where there is black around the image
  const left = Math.floor((whole.width - width) / 2);
  const target: Target = {
    width: whole.width,
    height: whole.height,
    left: Math.max(0, left),
    top: Math.max(0, top),
    right: Math.min(whole.width, left + width),
    bottom: Math.min(whole.height, top + height),
  };
  const { channels } = settings;
  const bands = raster.channels === 1 ? 1 : channels; // grey is resized once, and then stands in each channel
  const resample: Resample = settings.resize?.resample ?? 'nearest';
  const bytes = await resize(raster, bands, target, resample, signal);

  const pixels = new Float32Array(channels * height * width);
  const [rows, columns] = [target.bottom - target.top, target.right - target.left];
  for (let channel = 0; channel < channels; channel++) {
    const values = valuesOfBytes(channel, settings);
    const place = settings.flipChannels ? channels - 1 - channel : channel;
    const plane = pixels.subarray(place * height * width, (place + 1) * height * width);
    if (rows < height || columns < width) plane.fill(values[0]!);
    const first = Math.max(0, -top) * width + Math.max(0, -left);
    for (let row = 0; row < rows; row++) {
      let at = row * columns * bands + Math.min(channel, bands - 1);
      for (let column = 0; column < columns; column++, at += bands) {
        plane[first + row * width + column] = values[bytes[at]!]!;
      }
    }
  }
  return { pixels, shape: [channels, height, width] };
}

/** What each byte becomes in a channel, in float32 after each step as in transformers. */
function valuesOfBytes(channel: number, { rescaleFactor, normalize }: ImageSettings): Float32Array {
  const values = Float32Array.from({ length: 256 }, (_, byte) => byte * (rescaleFactor ?? 1));
  if (!normalize) return values;
  const mean = Math.fround(normalize.mean[channel]!);
  const std = Math.fround(normalize.std[channel]!);
  return values.map((value) => Math.fround(value - mean) / std);
}

/** As transformers rounds it, which is differently for each kind of size. */
function resizedSize({ height, width }: Raster, size: ImageSize): { height: number; width: number } {
  if ('height' in size) return size;
  if ('maxHeight' in size) {
    const scale = Math.min(size.maxHeight / height, size.maxWidth / width);
    return atLeastOne(Math.trunc(height * scale), Math.trunc(width * scale));
  }
  const [short, long] = [Math.min(height, width), Math.max(height, width)];
  const edges = (newShort: number, newLong: number) =>
    height < width ? atLeastOne(newShort, newLong) : atLeastOne(newLong, newShort);
  if (!('shortestEdge' in size)) {
    const scale = size.longestEdge / long;
    return edges(Math.trunc(short * scale + 0.5), size.longestEdge);
  }
  const { shortestEdge, longestEdge } = size;
  if (longestEdge === undefined || (long / short) * shortestEdge <= longestEdge) {
    return short === shortestEdge ? { height, width } : edges(shortestEdge, Math.trunc((shortestEdge * long) / short));
  }
  const exact = (longestEdge * short) / long;
  const rounded = roundHalfToEven(exact);
  return short === rounded ? { height, width } : edges(rounded, Math.trunc((exact * long) / short));
}

/** An edge that would vanish keeps a pixel, where transformers fails. */
function atLeastOne(height: number, width: number): { height: number; width: number } {
  return { height: Math.max(1, height), width: Math.max(1, width) };
}

/** Python's round. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
