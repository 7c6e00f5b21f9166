import { badOption, why } from '../plan/error.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import type { Raster } from './raster.ts';

/** What a page has drawn or shows. */
export type Drawn = HTMLCanvasElement | OffscreenCanvas | HTMLImageElement;

/** Pixels as the file has them: turned as EXIF says, but with no colour changed. */
const asStored: ImageBitmapOptions = {
  imageOrientation: 'from-image',
  premultiplyAlpha: 'none',
  colorSpaceConversion: 'none',
};

/** Whether the platform decodes images itself. */
export const canDraw = (): boolean =>
  typeof createImageBitmap === 'function' && (typeof OffscreenCanvas === 'function' || typeof document === 'object');

/**
 * The platform decodes on a thread of its own.
 * @param name the image's, for messages
 * @throws VitrineError `bad-option` if the platform finds no image in it
 */
export async function bitmapOf(image: Blob | Drawn, name: string, signal?: AbortSignal): Promise<ImageBitmap> {
  const making = createBitmap(image);
  const closeLate = (late: ImageBitmap) => signal?.aborted && late.close();
  making.then(closeLate, () => {});
  return untilAborted(making, signal).catch((cause: unknown) => {
    if (signal?.aborted) throw signal.reason;
    const formats = 'Browsers decode PNG, JPEG, WebP, GIF, BMP and AVIF; an SVG is drawn on a canvas first.';
    const hint = 'slice' in image ? formats : undefined;
    throw badOption(`${name} could not be decoded: ${why(cause)}.`, hint, cause);
  });
}

async function createBitmap(image: Blob | Drawn): Promise<ImageBitmap> {
  if ('decode' in image) await image.decode(); // an element may still be loading
  return createImageBitmap(image, asStored);
}

/** @param name the image's, for messages */
export function bitmapRaster(bitmap: ImageBitmap, name: string, close?: () => void): Raster {
  const { width, height } = bitmap;
  let context: Context | undefined;
  let texture: Texture | undefined;
  const draw = (first: number, count: number): Uint8ClampedArray => {
    if (context?.canvas.height !== count) context = contextOf(width, count);
    context.globalCompositeOperation = 'copy';
    context.drawImage(bitmap, 0, -first);
    return context.getImageData(0, 0, width, count, { colorSpace: 'srgb' }).data;
  };
  return {
    width,
    height,
    channels: 4,
    rows(first, count) {
      try {
        const rows = draw(first, count);
        if (isOpaque(rows)) return rows;
        // A canvas multiplies colours by alpha, so that those of transparent pixels are lost; WebGL keeps them.
        texture ??= textureOf(bitmap);
        return texture.rows?.(first, count) ?? rows;
      } catch (cause) {
        const hint =
          "An image of another origin is shown with crossorigin='anonymous', if its server allows it (CORS).";
        throw badOption(`The pixels of ${name} cannot be read: ${why(cause)}.`, hint, cause);
      }
    },
    close() {
      texture?.close?.();
      close?.();
    },
  };
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

function canvasOf(width: number, height: number): HTMLCanvasElement | OffscreenCanvas {
  if (typeof OffscreenCanvas === 'function') return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement('canvas'), { width, height });
}

function contextOf(width: number, height: number): Context {
  const context = canvasOf(width, height).getContext('2d', { willReadFrequently: true }) as Context | null;
  if (!context) throw new Error(`there is no canvas of ${width} x ${height} pixels`);
  return context;
}

function isOpaque(rgba: Uint8ClampedArray): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
  return true;
}

interface Texture {
  rows?(first: number, count: number): Uint8Array;
  close?(): void;
}

/** The bitmap in WebGL, with colours apart from alpha; nothing where there is no WebGL, or the bitmap is too large. */
function textureOf(bitmap: ImageBitmap): Texture {
  const { width } = bitmap;
  const gl = canvasOf(1, 1).getContext('webgl') as WebGLRenderingContext | null;
  if (!gl) return {};
  const close = () => gl.getExtension('WEBGL_lose_context')?.loseContext();
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  const isReadable = gl.checkFramebufferStatus(gl.FRAMEBUFFER) === gl.FRAMEBUFFER_COMPLETE;
  if (!isReadable || gl.getError() !== gl.NO_ERROR) {
    close();
    return {};
  }
  return {
    rows(first, count) {
      const rows = new Uint8Array(count * width * 4);
      gl.readPixels(0, first, width, count, gl.RGBA, gl.UNSIGNED_BYTE, rows);
      if (gl.getError() !== gl.NO_ERROR) throw new Error('WebGL gave no pixels');
      return rows;
    },
    close,
  };
}
