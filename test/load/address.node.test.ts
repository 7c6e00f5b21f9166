import { afterEach, describe, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/load/address.ts';
import { openCheckpoint, type Source } from '../../src/load/open.ts';
import { isNode } from '../../src/plan/host.ts';
import { expectSame, readAll } from './read.ts';
import { type Contents, serve, type TestServer } from './server.ts';
import { encodeSafetensors, tinyCheckpoint, tinyFiles } from './tiny-checkpoint.ts';
import { encodeGguf, tinyGguf } from './tiny-gguf.ts';

const { config, tensors } = tinyCheckpoint();
const contents: Contents = { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) };
const expected = await readAll(await openCheckpoint(tinyFiles()));
const gguf = encodeGguf(tinyGguf());
let server: TestServer | undefined;

afterEach(async () => {
  vi.unstubAllGlobals();
  await server?.close();
});

/** The globals of a place where there is no Node but what is given. */
function stub(globals: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
}

describe('a path', () => {
  test('is an address where there is a document, with `process` beside it as in Electron', async () => {
    server = await serve(Object.fromEntries(Object.entries(contents).map(([name, file]) => [`app/m/${name}`, file])));
    stub({ document: { baseURI: `${server.url}app/index.html` } });
    expect(isNode()).toBe(false);
    for (const source of ['/app/m/', './m/', '../app/m/', `${server.url}app/m/`]) {
      expectSame(await readAll(await openCheckpoint(source, { cache: false })), expected);
    }
  });

  test.each(['renderer', 'worker', 'service-worker'])('is an address in an Electron %s', (type) => {
    stub({ process: { ...process, type }, location: { href: 'app://x/engine.js' } });
    expect(isNode()).toBe(false);
    expect(addressOf('./m/')).toBe('app://x/m/');
  });

  test.each([undefined, 'browser', 'utility'])('is on disk in Node, and in an Electron process of type %s', (type) => {
    stub({ process: { ...process, type } });
    expect(isNode()).toBe(true);
    expect(addressOf('./m/')).toBe('./m/');
  });

  test('begins from document.baseURI: <base>, srcdoc', () => {
    stub({ document: { baseURI: 'https://a.example/b/c' }, location: { href: 'about:srcdoc' } });
    expect(['./m/', '/m/', '../m/', '//x.example/m/'].map(addressOf)).toEqual([
      'https://a.example/b/m/',
      'https://a.example/m/',
      'https://a.example/m/',
      'https://x.example/m/',
    ]);
    expect(['owner/name', 'https://x.example/', 'gpt2'].map(addressOf)).toEqual([
      'owner/name',
      'https://x.example/',
      'gpt2',
    ]);
  });

  test('in a blob: document or worker is one of its server, or has no meaning', () => {
    const href = 'blob:https://a.example/6a5f';
    stub({ document: { baseURI: href }, origin: 'https://a.example' });
    expect(addressOf('/m/')).toBe('https://a.example/m/');
    expect(() => addressOf('./m/')).toThrow(`The path ./m/ has no meaning at the address ${href}. Pass a whole URL.`);
    stub({ document: { baseURI: 'about:blank' }, origin: 'null' });
    expect(() => addressOf('/m/')).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});

/** As Chromium answers for an extension's files: ranges with 200 and that part, a rejection for what is not there. */
const extension =
  (files: Contents, { parts = true } = {}): typeof fetch =>
  async (input, init) => {
    const url = new URL(String(input));
    const file = files[url.pathname.slice(1)];
    if (file === undefined) throw new TypeError('Failed to fetch');
    const bytes = typeof file === 'string' ? new TextEncoder().encode(file) : new Uint8Array(file);
    const range = new Headers(init?.headers).get('range');
    const [first, last] = range?.match(/\d+/g)?.map(Number) ?? [0, bytes.length - 1];
    asked.push(`${url.pathname} ${range ?? ''}`.trim());
    return new Response(parts ? bytes.slice(first, last! + 1) : bytes, { status: 200 });
  };
const asked: string[] = [];

describe("addresses of the browser's own", () => {
  test.each([
    ['chrome-extension://abc/', true],
    ['moz-extension://abc/', false],
    ['app://localhost/', true],
    ['file:///', true],
  ])('%s, which answers ranges with parts: %s', async (base, parts) => {
    stub({ document: { baseURI: 'https://a.example/' } });
    const shared = { dtype: 'U8', shape: [1, 1, 2000, 2000], bytes: new Uint8Array(4_000_000) };
    const [first, ...rest] = tensors;
    const weights = encodeSafetensors(new Map([first!, ['h.0.attn.bias', shared], ...rest]));
    for (const files of [contents, { ...contents, 'model.safetensors': weights }]) {
      const checkpoint = await openCheckpoint(base, { fetch: extension(files, { parts }) });
      expectSame(await readAll(checkpoint), expected);
      expect(await checkpoint.tokenizerFiles()).toEqual({});
    }
    const found = await readAll(await openCheckpoint(`${base}tiny.gguf`, { fetch: extension({ 'tiny.gguf': gguf }) }));
    expectSame(found, await readAll(await openCheckpoint([new File([gguf], 'tiny.gguf')])));
  });

  test('what is not there is named, with why', async () => {
    stub({ document: { baseURI: 'https://a.example/' } });
    const refused = (source: string, files: Contents) => openCheckpoint(source, { fetch: extension(files) });
    await expect(refused('chrome-extension://abc/', {})).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining('chrome-extension://abc/config.json could not be fetched (Failed to fetch)'),
    });
    await expect(refused('file:///m/', {})).rejects.toThrow('serve the folder');
  });

  test('an abort is no absence', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const never: typeof fetch = (_, init) =>
      new Promise((_, reject) => init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason)));
    const opening = openCheckpoint('app://x/', { fetch: never, signal: abort.signal });
    abort.abort(reason);
    await expect(opening).rejects.toBe(reason);
  });

  test('blob: and data: hold one GGUF file', async () => {
    const same = await readAll(await openCheckpoint([new File([gguf], 'tiny.gguf')]));
    const url = URL.createObjectURL(new Blob([gguf]));
    expectSame(await readAll(await openCheckpoint(url)), same);
    URL.revokeObjectURL(url);
    const data = `data:application/octet-stream;base64,${Buffer.from(gguf).toString('base64')}`;
    expectSame(await readAll(await openCheckpoint(data)), same);
    const error = await openCheckpoint(`data:,${'x'.repeat(5000)}`).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'bad-checkpoint', message: expect.stringContaining('expected "GGUF"') });
    await expect(openCheckpoint(url)).rejects.toMatchObject({ code: 'network' });
  });

  test.each(['ftp://x.example/m/', 'ws://x.example/m/', 'about:blank', 's3://bucket/m/', 'hf://owner/name'])(
    '%s is refused',
    async (source) => {
      await expect(openCheckpoint(source)).rejects.toMatchObject({ code: 'bad-option' });
    },
  );
});

test.each<[string, Source]>([
  ['one File', new File([gguf], 'tiny.gguf')],
  ['one Blob without a name', new Blob([gguf])],
  ['one File of a strange name', new File([gguf], 'model')],
  ['a file of another window', Object.assign(Object.create(null), fileOfAnotherRealm())],
])('%s', async (_, source) => {
  const same = await readAll(await openCheckpoint([new File([gguf], 'tiny.gguf')]));
  expectSame(await readAll(await openCheckpoint(source)), same);
});

/** No instance of this realm's Blob. */
function fileOfAnotherRealm() {
  const file = new File([gguf], 'tiny.gguf');
  return { name: file.name, size: file.size, slice: file.slice.bind(file), arrayBuffer: file.arrayBuffer.bind(file) };
}

test('one file that is no whole model says what is missing', async () => {
  await expect(openCheckpoint(new File([contents['model.safetensors'] as never], 'model.safetensors'))).rejects.toThrow(
    'There is no config.json among model.safetensors. Choose all files of the model together.',
  );
});

test('files of a chosen folder go by their path in it', async () => {
  const at = (path: string, content: string | Uint8Array) =>
    Object.defineProperty(new File([content as never], path.slice(path.lastIndexOf('/') + 1)), 'webkitRelativePath', {
      value: `tiny/${path}`,
    });
  const files = [
    at('config.json', contents['config.json']!),
    at('model.safetensors', contents['model.safetensors']!),
    at('onnx/config.json', '{}'),
    at('onnx/model.safetensors', 'x'),
  ];
  expectSame(await readAll(await openCheckpoint(files)), expected);
});
