import { expect } from 'vitest';
import { preprocess } from '../../src/image/preprocess.ts';
import type { ImageSource, RawImage } from '../../src/image/source.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';

export interface ResizeCase {
  width: number;
  height: number;
  channels: 1 | 3;
  data: string;
  target: [width: number, height: number];
  /** By filter. */
  resized: Record<string, string>;
}
export interface PreprocessCase {
  width: number;
  height: number;
  channels: 1 | 3;
  data: string;
  settings: object;
  shape: number[];
  pixels: string;
}
export interface FileCase {
  name: string;
  width: number;
  height: number;
  file: string;
  rgb: string;
}

export const casesOf = async <Case>(file: string): Promise<Case[]> =>
  (await readFixtureJson<{ cases: Case[] }>(`images/${file}`)).cases;

/** The bytes that base64 stands for. */
export const bytesOf = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

export const rawOf = ({ width, height, channels, data }: ResizeCase | PreprocessCase): RawImage => ({
  width,
  height,
  channels,
  data: bytesOf(data),
});

/** What `preprocess` gives with these settings are the bytes themselves. */
export const asBytes = { channels: 3, flipChannels: false } as const;

/** Bytes [height, width, channels] of values [channels, height, width]. */
export function interleaved(pixels: Float32Array, [channels, height, width]: number[]): number[] {
  const size = height! * width!;
  return Array.from({ length: pixels.length }, (_, i) => pixels[(i % channels!) * size + Math.floor(i / channels!)]!);
}

/** The vit fixture's bytes, `image2.rgb` and the like, by name. */
export async function vitTensors(): Promise<(name: string) => { shape: number[]; bytes: Uint8Array<ArrayBuffer> }> {
  const file = await readFixture('families/vit/expected.safetensors');
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  return (name) => {
    const [start, end] = header[name].data_offsets;
    return { shape: header[name].shape, bytes: new Uint8Array(file.slice(8 + length + start, 8 + length + end)) };
  };
}

export async function bytesIn(image: ImageSource, signal?: AbortSignal): Promise<number[]> {
  const { pixels, shape } = await preprocess(image, asBytes, { signal });
  return interleaved(pixels, shape);
}

/** What is said of something that is no image. */
export const failure = (image: unknown, signal?: AbortSignal) =>
  bytesIn(image as ImageSource, signal).then(
    () => expect.unreachable('it was taken for an image'),
    (error: unknown) => error as Error & { code: string; hint?: string },
  );
