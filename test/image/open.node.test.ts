import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { preprocess } from '../../src/image/preprocess.ts';
import { asBytes, bytesIn, bytesOf, casesOf, type FileCase, failure, interleaved } from './images.ts';

const files = await casesOf<FileCase>('files.json');
const fileOf = (name: string) => files.find((one) => one.name === name)!;

describe('files, decoded by sharp', () => {
  test.each(files.map((one) => [one.name, one] as const))('%s', async (_, { file, width, height, rgb }) => {
    const { pixels, shape } = await preprocess(new Blob([bytesOf(file)]), asBytes);
    expect(shape).toEqual([3, height, width]);
    expect(interleaved(pixels, shape)).toEqual([...bytesOf(rgb)]);
  });

  test('16 bits become 8', async () => {
    const { default: sharp } = await import('sharp');
    const wide = Uint16Array.of(0, 255, 256, 40000, 65535, 513); // two pixels
    const png = await sharp(wide, { raw: { width: 2, height: 1, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect(await bytesIn(new Blob([new Uint8Array(png)]))).toEqual([0, 0, 1, 156, 255, 2]);
  });

  test('a file without sharp says what to install', async () => {
    vi.doMock('sharp', () => {
      throw new Error("Cannot find package 'sharp'");
    });
    try {
      const error = await failure(new Blob([bytesOf(fileOf('rgb.png').file)]));
      expect(error).toMatchObject({ code: 'bad-option', hint: expect.stringContaining('npm install sharp') });
      expect(await bytesIn({ data: Uint8Array.of(1, 2, 3), width: 1, height: 1, channels: 3 })).toEqual([1, 2, 3]);
    } finally {
      vi.doUnmock('sharp');
    }
  });
});

describe('addresses', () => {
  const { file, rgb } = fileOf('rgb.png');
  const expected = [...bytesOf(rgb)];
  const folder = mkdtempSync(join(tmpdir(), 'vitrine-image-'));
  const path = join(folder, 'an image.png');
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/image.png') response.writeHead(200, { 'Content-Type': 'image/png' }).end(bytesOf(file));
    else if (request.url === '/page')
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<p>');
    else if (request.url === '/held') held.push(response);
    else if (request.url === '/begun') {
      held.push(response.writeHead(200, { 'Content-Type': 'image/png', 'Content-Length': '1000' }));
      response.write('begun');
    } else if (request.url === '/broken') {
      response.writeHead(200, { 'Content-Type': 'image/png', 'Content-Length': '1000' });
      response.write('begun', () => response.destroy());
    } else response.writeHead(404).end();
  });
  let url = '';
  beforeAll(async () => {
    writeFileSync(path, bytesOf(file));
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    url = `http://localhost:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
    server.closeAllConnections();
    server.close();
  });

  test('a URL, a path, data', async () => {
    expect(await bytesIn(`${url}/image.png`)).toEqual(expected);
    expect(await bytesIn(new URL(`${url}/image.png`))).toEqual(expected);
    expect(await bytesIn(path)).toEqual(expected);
    expect(await bytesIn(pathToFileURL(path))).toEqual(expected);
    expect(await bytesIn(`data:image/png;base64,${file}`)).toEqual(expected);
  });

  test('a server that has no image', async () => {
    expect(await failure(`${url}/none.png`)).toMatchObject({
      code: 'network',
      message: expect.stringMatching(/\/none\.png cannot be had: its server answered 404/),
    });
    expect(await failure(`${url}/page`)).toMatchObject({
      code: 'network',
      message: expect.stringContaining('/page is a web page (text/html)'),
    });
    expect(await failure(`${url}/broken`)).toMatchObject({
      code: 'network',
      message: expect.stringContaining('/broken could not be fetched'),
    });
    expect(await failure('http://localhost:1/image.png')).toMatchObject({ code: 'network' });
    expect(await failure(join(folder, 'none.png'))).toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining('none.png cannot be read'),
    });
  });

  test.each(['held', 'begun'])('an abort while the answer is %s', async (name) => {
    const aborter = new AbortController();
    const before = held.length;
    const failed = failure(`${url}/${name}`, aborter.signal);
    await expect.poll(() => held.length).toBe(before + 1);
    const reason = new Error('enough');
    aborter.abort(reason);
    expect(await failed).toBe(reason);
  });
});

test('a file that is gone', async () => {
  const file = new File([Uint8Array.of(1)], 'cat.png');
  const gone = new DOMException('The file could not be read', 'NotReadableError');
  file.slice = () => Object.assign(new Blob(), { arrayBuffer: () => Promise.reject(gone) });
  expect(await failure(file)).toMatchObject({
    code: 'bad-option',
    message: expect.stringContaining('The image cat.png cannot be read: The file could not be read.'),
  });
});

describe('what is no image', () => {
  const png = fileOf('rgb.png').file;
  test.each([
    ['an empty file', new Blob([]), 'The image is empty.'],
    [
      'text',
      new File(['<!doctype html>'], 'cat.png'),
      'The image cat.png (15 bytes, which begin "<!doctype ht") could not',
    ],
    ['half a PNG', new Blob([bytesOf(png).subarray(0, 60)]), 'could not be decoded'],
    [
      'damage',
      new Blob([bytesOf(png).map((byte, i) => (i > 50 && i < 90 ? byte ^ 0x55 : byte))]),
      'could not be decoded',
    ],
    ['nothing', undefined, 'The image is missing; expected a Blob'],
    ['null', null, 'The image is null; expected a Blob'],
    ['a number', 7, 'The image is 7; expected a Blob'],
    ['bytes of a file', bytesOf(png), 'new Blob([bytes])'],
    ['an object', { width: 3, height: 3 }, 'The image is Object; expected a Blob'],
    ['no width', { data: new Uint8Array(3), width: 0, height: 1, channels: 3 }, 'has 0 x 1 pixels'],
    ['half a pixel', { data: new Uint8Array(3), width: 0.5, height: 2, channels: 3 }, 'has 0.5 x 2 pixels'],
    ['no size', { data: new Uint8Array(3), channels: 3 }, 'has missing x missing pixels'],
    ['two channels', { data: new Uint8Array(2), width: 1, height: 1, channels: 2 }, 'has 2 channels; expected 1'],
    ['channels in words', { data: new Uint8Array(3), width: 1, height: 1, channels: 'rgb' }, 'has "rgb" channels'],
    ['too few bytes', { data: new Uint8Array(11), width: 2, height: 2, channels: 3 }, 'has 11 bytes, but 2 x 2 pixels'],
    [
      'floats',
      { data: new Float32Array(3), width: 1, height: 1, channels: 3 },
      'data is Float32Array; expected a Uint8Array',
    ],
    ['a list', { data: [1, 2, 3], width: 1, height: 1, channels: 3 }, 'data is Array; expected a Uint8Array'],
  ])('%s', async (_, image, message) => {
    expect(await failure(image)).toMatchObject({ code: 'bad-option', message: expect.stringContaining(message) });
  });
});
