import { VitrineError, why } from '../plan/error.ts';
import type { RawImage } from './source.ts';

/** The package's name; a bundler must not look for what need not be installed. */
const name = 'sharp';

/** More pixels are no picture, but an attack on memory: Pillow's limit. */
const mostPixels = 2 * Math.floor(2 ** 30 / 4 / 3) + 1;

/** What is used of sharp 0.33 and later. */
interface Sharp {
  rotate(): Sharp;
  removeAlpha(): Sharp;
  raw(): Sharp;
  toBuffer(options: { resolveWithObject: true }): Promise<{
    data: Uint8Array;
    info: { width: number; height: number; channels: number };
  }>;
}
type MakeSharp = (
  bytes: Uint8Array,
  options: { ignoreIcc: boolean; limitInputPixels: number; failOn: string },
) => Sharp;

/**
 * Decodes a file in Node: turned as EXIF says, without alpha, with no colour profile applied.
 * @param what the image, for messages
 * @throws VitrineError `bad-option` if sharp is not installed, or finds no image in it
 */
export async function decodeInNode(file: Blob, what: string): Promise<RawImage> {
  const sharp = await importSharp();
  try {
    const options = { ignoreIcc: true, limitInputPixels: mostPixels, failOn: 'error' };
    const decoding = sharp(new Uint8Array(await file.arrayBuffer()), options)
      .rotate()
      .removeAlpha()
      .raw();
    const { data, info } = await decoding.toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height, channels: info.channels as 1 | 3 };
  } catch (cause) {
    throw new VitrineError('bad-option', `${what} could not be decoded: ${why(cause)}.`, { cause });
  }
}

async function importSharp(): Promise<MakeSharp> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)).default as MakeSharp;
  } catch (cause) {
    const message = `An image's file is decoded in Node by the package sharp, which cannot be imported: ${why(cause)}.`;
    const hint = 'Install it (npm install sharp), or pass the bytes: { data, width, height, channels }.';
    throw new VitrineError('bad-option', message, { hint, cause });
  }
}
