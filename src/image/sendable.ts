import { bitmapOf } from './bitmap.ts';
import { isDrawn, kindOf, sizedCanvas } from './drawn.ts';
import { type ImageSource, imageAddress } from './source.ts';

/**
 * An image in a form that can be posted to a worker, and what of it is handed over: addresses become whole ones, and what only
 * the page's own thread can draw becomes a bitmap.
 */
export async function sendableImage(
  image: ImageSource,
  signal?: AbortSignal,
): Promise<{ image: ImageSource; transfer: Transferable[] }> {
  if (typeof image === 'string' || kindOf(image) === 'URL') return { image: imageAddress(String(image)), transfer: [] };
  if (!isDrawn(image)) return { image, transfer: [] };
  const bitmap = await bitmapOf(sizedCanvas(image), `The ${kindOf(image)}`, signal);
  return { image: bitmap, transfer: [bitmap] };
}
