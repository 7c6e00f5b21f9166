import { badOption } from '../plan/error.ts';
import type { Drawn } from './bitmap.ts';

/** What kind of object a value is, also one of another window. */
export const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice('[object '.length, -1);

export const isDrawn = (image: unknown): image is Drawn =>
  ['HTMLCanvasElement', 'OffscreenCanvas', 'HTMLImageElement'].includes(kindOf(image));

export function sizedCanvas(image: Drawn): Drawn {
  return 'decode' in image ? image : sized(image, `The ${kindOf(image)}`);
}

/** @throws VitrineError if it has no pixels, as a bitmap that was closed */
export function sized<Image extends { width: number; height: number }>(image: Image, name: string): Image {
  if (image.width > 0 && image.height > 0) return image;
  throw badOption(`${name} has ${image.width} x ${image.height} pixels.`);
}
