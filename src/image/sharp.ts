import { badOption, why } from '../plan/error.ts';
import type { RawImage } from './source.ts';

/** The package's name; a bundler must not look for what need not be installed. */
const name = 'sharp';

/** More pixels are no picture, but an attack on memory: Pillow's limit. */
const mostPixels = 2 * Math.floor(2 ** 30 / 4 / 3) + 1;

/** What is used of sharp 0.33 and later. */
interface Sharp {
  rotate(): Sharp;
  removeAlpha(): Sharp;
  metadata(): Promise<{ space?: string }>;
  pipelineColourspace(space: string): Sharp;
  toColourspace(space: string): Sharp;
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
      .removeAlpha();
    const isCmyk = (await decoding.metadata()).space === 'cmyk';
    if (isCmyk) decoding.pipelineColourspace('cmyk').toColourspace('cmyk'); // as stored: libvips would apply a profile of its own
    const { data, info } = await decoding.raw().toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    if (isCmyk) return { data: rgbOfCmyk(data), width, height, channels: 3 };
    return { data, width, height, channels: info.channels as 1 | 3 };
  } catch (cause) {
    throw badOption(`${what} could not be decoded: ${why(cause)}.`, undefined, cause);
  }
}

/** As PIL converts it, in whole numbers. */
function rgbOfCmyk(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let i = 0; i < rgb.length; i++) {
    const pixel = Math.floor(i / 3) * 4;
    const white = 255 - cmyk[pixel + 3]!;
    const product = cmyk[pixel + (i % 3)]! * white + 128;
    rgb[i] = white - (((product >> 8) + product) >> 8); // a division by 255, rounded
  }
  return rgb;
}

async function importSharp(): Promise<MakeSharp> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)).default as MakeSharp;
  } catch (cause) {
    const message = `An image's file is decoded in Node by the package sharp, which cannot be imported: ${why(cause)}.`;
    const hint = 'Install it (npm install sharp), or pass the bytes: { data, width, height, channels }.';
    throw badOption(message, hint, cause);
  }
}
