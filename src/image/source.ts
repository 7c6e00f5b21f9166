import { badOption, VitrineError, why } from '../plan/error.ts';
import { isNode } from '../plan/host.ts';
import { untilAborted } from '../plan/until-aborted.ts';

/** Bytes [height, width, channels], row by row. */
export interface RawImage {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  /** 1: grey, 3: RGB, 4: RGBA, not premultiplied. */
  channels: 1 | 3 | 4;
}

/**
 * An image: a file, its address (a URL, one relative to the page, in Node also a path), what a page has drawn or shows, or
 * its bytes. In Node files are decoded by the package sharp, if it is installed.
 */
export type ImageSource =
  | Blob
  | string
  | URL
  | ImageData
  | ImageBitmap
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | RawImage;

/** A path on Windows reads like a URL whose scheme is the disk. */
const isUrl = (address: string): boolean => /^[a-z][a-z\d+.-]+:/i.test(address) && URL.canParse(address);

/** As a message names it: a data URL may be long. */
const shortened = (address: string): string => (address.length > 100 ? `${address.slice(0, 97)}...` : address);

/**
 * An address as a whole one, so that a worker can use it too. In Node a path stays one.
 * @throws VitrineError `bad-option` if there is nothing that it is relative to
 */
export function imageAddress(address: string): string {
  if (isUrl(address) || isNode()) return address;
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  if (URL.canParse(address, base)) return new URL(address, base).href;
  const message = `The image's address ${shortened(address)} has no meaning at the address ${base}.`;
  throw badOption(message, 'Pass a whole URL.');
}

/**
 * The file at an address.
 * @throws VitrineError `network` for a URL that gives none, `bad-option` for a path that does not
 */
export async function fetchImage(given: string, signal?: AbortSignal): Promise<Blob> {
  const address = imageAddress(given);
  if (isNode() && !/^(https?|data|blob):/i.test(address)) return untilAborted(readImage(address), signal);
  const name = shortened(address);
  const hint = 'Check the address, and that its server lets other pages read it (CORS).';
  const failed = (what: string, cause?: unknown) =>
    new VitrineError('network', `The image ${name} ${what}.`, { hint, cause });
  try {
    const response = await untilAborted(fetch(address, signal ? { signal } : {}), signal);
    const html = /^text\/html\b/i.test(response.headers.get('content-type') ?? '');
    if (response.ok && !html) return await untilAborted(response.blob(), signal);
    await response.body?.cancel();
    throw failed(response.ok ? 'is a web page (text/html)' : `cannot be had: its server answered ${response.status}`);
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw cause instanceof VitrineError ? cause : failed(`could not be fetched: ${why(cause)}`, cause);
  }
}

async function readImage(path: string): Promise<Blob> {
  const { process } = globalThis;
  try {
    const { fileURLToPath } = process.getBuiltinModule('node:url'); // a way that no bundler for browsers follows
    const { readFile } = process.getBuiltinModule('node:fs/promises');
    return new Blob([new Uint8Array(await readFile(path.startsWith('file:') ? fileURLToPath(path) : path))]);
  } catch (cause) {
    throw badOption(`The image ${shortened(path)} cannot be read: ${why(cause)}.`, undefined, cause);
  }
}
