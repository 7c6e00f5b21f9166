import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { CachedFiles } from '../../src/load/cache.ts';
import { pieceBytes } from '../../src/load/cache-download.ts';
import type { CacheStore } from '../../src/load/cache-store.ts';
import { models } from '../../src/load/cached-models.ts';
import { readText } from '../../src/load/files.ts';
import { folderStore } from '../../src/load/folder-store.ts';
import { HttpFiles } from '../../src/load/http.ts';
import { type OpenOptions, openCheckpoint } from '../../src/load/open.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { expectSame, readAll, readAnew } from './read.ts';
import { type Contents, type Misbehave, type ServeOptions, serve, type TestServer } from './server.ts';
import { encodeSafetensors, tinyCheckpoint, tinyFiles } from './tiny-checkpoint.ts';

const megabyte = 1 << 20;
let server: TestServer;
afterEach(() => server.close());

/** 10 MB: ten pieces, two requests. */
const tiny = tinyCheckpoint({ nEmbd: 64, vocabSize: 40_000 });
const weights = encodeSafetensors(tiny.tensors);
const contents: Contents = { 'config.json': JSON.stringify(tiny.config), 'model.safetensors': weights };
const expected = await readAll(await openCheckpoint(tinyFiles(tiny)));

/** A store in memory, which counts. */
function memoryStore(): Required<CacheStore> & { values: Map<string, Uint8Array<ArrayBuffer>> } {
  const values = new Map<string, Uint8Array<ArrayBuffer>>();
  const keys = async (prefix: string) => [...values.keys()].filter((key) => key.startsWith(prefix));
  return {
    values,
    get: async (key) => values.get(key),
    put: async (key, value) => void values.set(key, value.slice()),
    keys,
    delete: async (prefix) => {
      for (const key of await keys(prefix)) values.delete(key);
    },
  };
}

async function loadAll(cache: CacheStore, options: OpenOptions = {}): Promise<Map<string, Float32Array>> {
  return readAnew(() => openCheckpoint(server.url, { cache, ...options }), options.signal);
}

async function start(misbehave?: Misbehave, files = contents, options?: ServeOptions): Promise<void> {
  await server?.close();
  server = await serve(files, misbehave, options);
}

/** The same address, where nobody answers. */
const offline: typeof fetch = () => Promise.reject(new TypeError('offline'));

/** Only for requests of the weights beyond the directory. */
const ofWeights =
  (misbehave: Misbehave): Misbehave =>
  (request, response) => {
    const { range } = request.headers;
    if (request.url !== '/model.safetensors' || range === 'bytes=0-0' || range === 'bytes=0-65535') return false;
    return misbehave(request, response);
  };

/** The first `n` times only. */
const times = (n: number, misbehave: Misbehave): Misbehave => {
  let count = 0;
  return (request, response) => count++ < n && misbehave(request, response);
};

const rangeOf = (header: string | undefined): [number, number] => {
  const [first, last] = header?.match(/\d+/g)?.map(Number) ?? [];
  return [first ?? 0, last === undefined ? weights.length : last + 1];
};

/** Answers with the bytes asked for, changed. */
const part =
  (change: (bytes: Uint8Array) => Uint8Array, headers: Record<string, string | number> = {}): Misbehave =>
  (request, response) => {
    const [first, end] = rangeOf(request.headers.range);
    const range = { 'Content-Range': `bytes ${first}-${end - 1}/${weights.length}` };
    response.writeHead(206, { ...range, ...headers }).end(change(weights.subarray(first, end)));
    return true;
  };

const status =
  (code: number, headers = {}): Misbehave =>
  (_, response) =>
    !!response.writeHead(code, headers).end('no');

/** Sends so many bytes of what was asked for, then cuts the connection. */
const cutAfter =
  (bytes: number): Misbehave =>
  (request, response) => {
    const [first, end] = rangeOf(request.headers.range);
    response.writeHead(206, {
      'Content-Range': `bytes ${first}-${end - 1}/${weights.length}`,
      'Content-Length': end - first,
    });
    response.write(weights.subarray(first, Math.min(end, first + bytes)), () => response.destroy());
    return true;
  };

describe('a cache', () => {
  test('may answer at once, without promises', async () => {
    const values = new Map<string, Uint8Array<ArrayBuffer>>();
    const store: CacheStore = {
      get: (key) => values.get(key),
      put: (key, value) => void values.set(key, value.slice()),
    };
    await start();
    expectSame(await loadAll(store), expected);
    expectSame(await loadAll(store, { fetch: offline }), expected);
  });

  test('downloads once; then loads without a byte, and without a network', async () => {
    const store = memoryStore();
    await start();
    expectSame(await loadAll(store), expected);
    const once = server.sent;
    expect(once).toBeLessThan(weights.length + 70_000 + 1000);
    expect(server.requests.filter((request) => /safetensors bytes=/.test(request))).toHaveLength(5);
    expectSame(await loadAll(store), expected);
    expect(server.sent - once).toBeLessThan(10);
    expectSame(await loadAll(store, { fetch: offline }), expected);
  });

  test('weights are read while others come', async () => {
    const lastByte = `-${weights.length - 1}`;
    let send = () => {};
    const isRead = new Promise<void>((resolve) => (send = resolve));
    await start((request, response) => {
      if (!request.headers.range?.endsWith(lastByte)) return false;
      void isRead.then(() => part((bytes) => bytes)(request, response)); // the last piece waits for the first weight
      return true;
    });
    const checkpoint = await openCheckpoint(server.url, { cache: memoryStore() });
    const [first] = checkpoint.check(checkpoint.family.plan(checkpoint.config).weights);
    for await (const rows of checkpoint.read(first!)) {
      expect(rows.length).toBeGreaterThan(0);
      break;
    }
    send();
    expectSame(await readAll(checkpoint), expected);
  });

  test('says the whole size first, and then only more', async () => {
    const seen: number[] = [];
    await start();
    const abort = new AbortController();
    const refused = openCheckpoint(server.url, {
      cache: memoryStore(),
      signal: abort.signal,
      onProgress: ({ total }) => total > megabyte && abort.abort(new Error('too large')),
    });
    await expect(refused.then((checkpoint) => readAll(checkpoint, abort.signal))).rejects.toThrow('too large');
    expect(server.sent).toBeLessThan(70_000);
    let total = 0;
    const onProgress: OpenOptions['onProgress'] = (progress) => {
      seen.push(progress.loaded);
      total = progress.total;
    };
    await loadAll(memoryStore(), { onProgress });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen[0]).toBe(0);
    expect(seen.at(-1)).toBe(total);
    expect(seen.length).toBeGreaterThan(5);
  });

  test('takes the new file when the server has another', async () => {
    const store = memoryStore();
    await start();
    await loadAll(store);
    const other = tinyCheckpoint({ nEmbd: 64, vocabSize: 40_001 });
    const files = {
      'config.json': JSON.stringify(other.config),
      'model.safetensors': encodeSafetensors(other.tensors),
    };
    const { url } = server;
    await start(undefined, files);
    const moved: typeof fetch = (input, init) => fetch(String(input).replace(url, server.url), init);
    const again = () => openCheckpoint(url, { cache: store, fetch: moved }).then((checkpoint) => readAll(checkpoint));
    expectSame(await again(), await readAll(await openCheckpoint(tinyFiles(other))));
    expect([...store.values.keys()].filter((key) => key.includes('model.safetensors'))).toHaveLength(
      1 + Math.ceil(files['model.safetensors'].length / pieceBytes),
    );
  });

  test('with get and put alone', async () => {
    const { get, put, values } = memoryStore();
    await start(ofWeights(times(1, cutAfter(2.5 * megabyte))));
    const abort = new AbortController();
    const onProgress: OpenOptions['onProgress'] = ({ loaded }) => loaded > 3 * megabyte && abort.abort();
    await expect(loadAll({ get, put }, { onProgress, signal: abort.signal })).rejects.toThrow();
    expect(values.size).toBeGreaterThan(3);
    expectSame(await loadAll({ get, put }), expected);
    expectSame(await loadAll({ get, put }, { fetch: offline }), expected);
    await expect(models.list({ get, put })).rejects.toMatchObject({ code: 'bad-option' });
  });

  test('two loads at once download once', async () => {
    const store = memoryStore();
    await start();
    const both = await Promise.all([loadAll(store), loadAll(store)]);
    for (const loaded of both) expectSame(loaded, expected);
    expect(server.sent).toBeLessThan(weights.length + 150_000);
  });

  test('a damaged or lost piece is fetched again, alone', async () => {
    const store = memoryStore();
    await start();
    await loadAll(store);
    const pieces = [...store.values.keys()].filter((key) => /safetensors.*,\d+$/.test(key));
    store.values.get(pieces[3]!)![77]! ^= 1;
    store.values.delete(pieces[5]!);
    const before = server.sent;
    expectSame(await loadAll(store), expected);
    expect(server.sent - before).toBeLessThan(2 * megabyte + 10);
    expectSame(await loadAll(store, { fetch: offline }), expected);
  });

  test('that is full: the weights are streamed, the caller is told, nothing half remains', async () => {
    const store = memoryStore();
    await start();
    const warnings: string[] = [];
    const put = async (key: string, value: Uint8Array<ArrayBuffer>) => {
      if (store.values.size > 5) throw new DOMException('no room', 'QuotaExceededError');
      return store.put(key, value);
    };
    const onProgress: OpenOptions['onProgress'] = ({ warning }) => warning && warnings.push(warning);
    expectSame(await loadAll({ ...store, put }, { onProgress }), expected);
    expect(warnings).toEqual(['The cache took no more (no room), so model.safetensors is not kept.']);
    expect([...store.values.keys()].filter((key) => /safetensors.*,\d+$/.test(key))).toEqual([]);
  });

  test('of a server that names no version keeps nothing, and says so', async () => {
    const store = memoryStore();
    await start(undefined, contents, { etags: false });
    const warnings: string[] = [];
    const onProgress: OpenOptions['onProgress'] = ({ warning }) => warning && warnings.push(warning);
    expectSame(await loadAll(store, { onProgress }), expected);
    expect(warnings).toEqual([expect.stringContaining('names no version of model.safetensors')]);
    expect(await models.list(store)).toEqual([]);
  });

  test('in a folder: listed, deleted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cache-'));
    const store = folderStore(folder);
    const abort = new AbortController();
    await start();
    const onProgress: OpenOptions['onProgress'] = ({ loaded }) => loaded > 5 * megabyte && abort.abort();
    await expect(loadAll(store, { onProgress, signal: abort.signal })).rejects.toThrow();
    const [begun] = await models.list(store);
    expect(begun).toMatchObject({ name: server.url, complete: false });
    expectSame(await loadAll(store), expected);
    const bytes = weights.length + (contents['config.json'] as string).length;
    expect(await models.list(store)).toEqual([{ name: server.url, bytes, complete: true }]);
    expect(await models.delete('other', store)).toBe(false);
    expect(await models.delete(server.url, store)).toBe(true);
    expect(await models.list(store)).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

describe('a server that misbehaves while the weights are downloaded', () => {
  const wholeOnly =
    (headers: Record<string, string | number>, bytes: Uint8Array = weights): Misbehave =>
    (_, response) =>
      !!response.writeHead(200, headers).end(bytes);
  const drip: Misbehave = (request, response) => {
    const [first, end] = rangeOf(request.headers.range);
    response.writeHead(206, { 'Content-Range': `bytes ${first}-${end - 1}/${weights.length}` });
    let at = first;
    const timer = setInterval(() => {
      response.write(weights.subarray(at, Math.min(end, (at += 400_000))));
      if (at < end) return;
      clearInterval(timer);
      response.end();
    }, 20);
    return true;
  };
  const stall: Misbehave = (request, response) => {
    const [first, end] = rangeOf(request.headers.range);
    response.writeHead(206, { 'Content-Range': `bytes ${first}-${end - 1}/${weights.length}` }).write('abc');
    return true;
  };
  const reversed = (bytes: Uint8Array) => bytes.slice().reverse();

  test.each<[string, Misbehave, RegExp?]>([
    ['drops each connection after 700 kB', cutAfter(700_000)],
    ['drops each connection after 300 kB', cutAfter(300_000)],
    ['drops each connection at once', cutAfter(0), /was cut off after 0 bytes|could not be fetched/],
    ['is busy twice: 429 with Retry-After', times(2, status(429, { 'Retry-After': '0' }))],
    ['is busy for long: 503 with Retry-After', status(503, { 'Retry-After': '3600' }), /503.* Retry-After is 3600/],
    ['fails twice: 500', times(2, status(500))],
    ['answers 416 once', times(1, status(416))],
    ['answers 416 to every range', (request, response) => !!request.headers.range && status(416)(request, response)],
    ['ignores ranges', (request) => void delete request.headers.range],
    ['ignores ranges and says no length', wholeOnly({ 'Transfer-Encoding': 'chunked' })],
    ['ignores ranges and compresses', wholeOnly({ 'Content-Encoding': 'gzip' }, gzipSync(weights))],
    ['compresses parts', part((bytes) => gzipSync(bytes), { 'Content-Encoding': 'gzip' })],
    ['lies about the length: longer', part((bytes) => bytes, { 'Content-Length': 9 * megabyte })],
    ['ends each part early', part((bytes) => bytes.slice(0, 600_000))],
    ['sends nothing', part(() => new Uint8Array()), /ended after 0 of/],
    ['sends more than was asked for', part((bytes) => Buffer.concat([bytes, bytes]))],
    ['claims another size', part((bytes) => bytes, { 'Content-Range': `bytes 0-1048575/1048576` }), /./],
    [
      'sends another part',
      part((bytes) => bytes, { 'Content-Range': `bytes 7-1048575/${weights.length}` }),
      /asked for/,
    ],
    ['sends a page once', times(1, wholeOnly({ 'Content-Type': 'text/html' }, Buffer.from('<html>')))],
    ['sends a page', wholeOnly({ 'Content-Type': 'text/html' }, Buffer.from('<html>')), /web page/],
    ['has lost the file', status(404), /404/],
    ['changes its ETag on the way', times(3, part(reversed, { ETag: '"other"' }))],
    ['changes its ETag with each answer', part(reversed, { ETag: '"other"' }), /changes while it is downloaded/],
    ['drips', drip],
    ['stalls', stall, /(nothing came|no answer) for 1 s/],
  ])('%s', async (_, misbehave, message) => {
    const store = memoryStore();
    const patience = misbehave === stall ? 1000 : 30_000;
    let well = false;
    const asTold = ofWeights(misbehave);
    await start((request, response) => !well && asTold(request, response));
    const { url } = server;
    const files = () => new CachedFiles(new HttpFiles(url, (file) => url + file, { patience }), url, store);
    const get = async () => {
      const kept = files();
      expect(await kept.keep('model.safetensors')).toBeUndefined();
      const opened = await kept.open('model.safetensors', 0, weights.length);
      const parts: Uint8Array[] = [];
      for await (const bytes of opened!.bytes) parts.push(bytes);
      return Buffer.concat(parts);
    };
    if (message) {
      const error = await get().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(VitrineError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).toContain('model.safetensors');
    } else expect((await get()).equals(weights)).toBe(true);
    // Whatever happened, the cache is sound: with the server well again it loads, and then without one.
    well = true;
    expectSame(await loadAll(store), expected);
    expectSame(await loadAll(store, { fetch: offline }), expected);
  });

  test('a text that is cut is fetched again', async () => {
    await start(
      times(2, (request, response) => {
        if (request.headers.range) return false;
        response.writeHead(200, { 'Content-Length': 100 }).write('{', () => response.destroy());
        return true;
      }),
    );
    const files = new CachedFiles(new HttpFiles(server.url, (file) => server.url + file), server.url, memoryStore());
    expect(await readText(files, 'config.json')).toBe(contents['config.json']);
  });
});
