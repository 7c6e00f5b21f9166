import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CachedFiles } from '../../src/load/cache.ts';
import type { CacheStore } from '../../src/load/cache-store.ts';
import { readText } from '../../src/load/files.ts';
import { HttpFiles } from '../../src/load/http.ts';
import { timely } from '../../src/load/in-time.ts';
import { type Contents, type Misbehave, serve, type TestServer } from './server.ts';
import { encodeSafetensors, tinyCheckpoint } from './tiny-checkpoint.ts';

/** Storage and locks that never answer, or refuse: a load goes on without keeping, and says so. */

let server: TestServer;
afterEach(async () => {
  vi.unstubAllGlobals();
  await server?.close();
});

const { config, tensors } = tinyCheckpoint({ nEmbd: 64, vocabSize: 10_000 });
const weights = encodeSafetensors(tensors);
const contents: Contents = { 'config.json': JSON.stringify(config), 'model.safetensors': weights };
const never = () => new Promise<never>(() => {});
/** Milliseconds, in place of ten seconds. What is honest here answers within a few. */
const patience = 1000;

function memoryStore(): Required<CacheStore> {
  const values = new Map<string, Uint8Array<ArrayBuffer>>();
  const keys = async (prefix: string) => [...values.keys()].filter((key) => key.startsWith(prefix));
  return {
    get: async (key) => values.get(key),
    put: async (key, value) => void values.set(key, value.slice()),
    keys,
    delete: async (prefix) => {
      for (const key of await keys(prefix)) values.delete(key);
    },
  };
}

const filesOf = (store?: CacheStore) =>
  new CachedFiles(new HttpFiles(server.url, (file) => server.url + file), server.url, store, patience);

/** What a load does: the config, then the weights. */
async function readAll(files: CachedFiles, signal?: AbortSignal): Promise<string | undefined> {
  expect(await readText(files, 'config.json', signal)).toBe(contents['config.json']);
  expect(await readText(files, 'tokenizer.json', signal)).toBeUndefined();
  await files.list(signal);
  const warning = await files.keep('model.safetensors', signal);
  const opened = await files.open('model.safetensors', 0, weights.length, signal);
  const parts: Uint8Array[] = [];
  for await (const bytes of opened!.bytes) parts.push(bytes);
  expect(Buffer.concat(parts).equals(weights)).toBe(true);
  return warning;
}

const none =
  'This browser has no storage that answers here (pages from https have it), so model.safetensors is not kept.';
const silent = 'The cache did not answer for 1 s, so model.safetensors is not kept.';

describe('storage that never answers', () => {
  beforeEach(async () => {
    server = await serve(contents);
  });

  test.each(['get', 'put', 'keys'] as const)('%s', async (method) => {
    const warning = await readAll(filesOf({ ...memoryStore(), [method]: never }));
    expect(warning).toMatch(
      /^(The cache took no more \()?The cache did not answer for 1 s\)?, so model.safetensors is not/,
    );
    expect(server.sent).toBeLessThan(2 * weights.length + 100_000);
  });

  test('from some point on', async () => {
    for (const calls of [1, 4, 7]) {
      let count = 0;
      const store = memoryStore();
      const put: CacheStore['put'] = (...both) => (++count > calls ? never() : store.put(...both));
      expect(await readAll(filesOf({ ...store, put }))).toContain('did not answer for 1 s');
    }
  });

  test('delete, of what is of another version', async () => {
    const store = memoryStore();
    expect(await readAll(filesOf(store))).toBeUndefined();
    await server.close();
    const other = tinyCheckpoint({ nEmbd: 64, vocabSize: 10_000 });
    other.tensors.get('wpe.weight')!.bytes.fill(0);
    const { url } = server;
    server = await serve({ ...contents, 'model.safetensors': encodeSafetensors(other.tensors) });
    const http = new HttpFiles(url, (file) => server.url + file);
    const files = new CachedFiles(http, url, { ...store, delete: never }, patience);
    expect(await files.keep('model.safetensors')).toBe(silent);
  });

  test.each<[string, object]>([
    ['getDirectory', { navigator: { storage: { getDirectory: never } } }],
    ['a folder of it', { navigator: { storage: { getDirectory: async () => ({ getDirectoryHandle: never }) } } }],
    ['caches.open, where there is no OPFS', { navigator: {}, caches: { open: never } }],
  ])("the browser's %s", async (_, globals) => {
    vi.stubGlobal('document', { baseURI: server.url });
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    expect(await readAll(filesOf())).toBe(none);
  });

  test('the estimate of what is left', async () => {
    vi.stubGlobal('navigator', { storage: { estimate: never } });
    expect(await readAll(filesOf(memoryStore()))).toBe(silent);
  });

  test('no storage at all', async () => {
    vi.stubGlobal('document', { baseURI: server.url });
    vi.stubGlobal('navigator', {});
    expect(await readAll(filesOf())).toBe(none);
  });

  test('an abort does not wait for it', async () => {
    const reason = new Error('enough');
    for (const store of [
      { ...memoryStore(), get: never },
      { ...memoryStore(), put: never },
    ]) {
      const abort = new AbortController();
      const files = new CachedFiles(new HttpFiles(server.url, (file) => server.url + file), server.url, store);
      const reading = readAll(files, abort.signal);
      abort.abort(reason);
      await expect(reading).rejects.toBe(reason);
    }
  });

  test('slow calls that move are no failure', async () => {
    let turn = 0;
    const store = timely(
      (moved) => ({
        ...memoryStore(),
        async keys() {
          for (; turn < 10; turn++) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            moved();
          }
          return ['a'];
        },
      }),
      600,
    );
    expect(await store.keys!('')).toEqual(['a']);
  });
});

describe('locks', () => {
  test.each<[string, (name: string, options: object, use: () => unknown) => unknown]>([
    ['that reject', () => Promise.reject(new DOMException('not here', 'SecurityError'))],
    [
      'that throw',
      () => {
        throw new DOMException('not here', 'InvalidStateError');
      },
    ],
    ['that are never given', never],
    ['that come when nobody waits any more', (_, __, use) => never().catch(use)],
  ])('%s', async (_, request) => {
    server = await serve(contents);
    vi.stubGlobal('navigator', { locks: { request } });
    expect(await readAll(filesOf(memoryStore()))).toMatch(
      /^The browser gives no lock \(.+\), so model.safetensors is not kept/,
    );
  });

  test.each([true, false])('that another load holds which has come to a halt; Web Locks: %s', async (web) => {
    const stall: Misbehave = (request, response) => {
      if (stalled || request.url !== '/model.safetensors' || request.headers.range === 'bytes=0-0') return false;
      stalled = true;
      response.writeHead(206).write('abc');
      return true;
    };
    let stalled = false;
    server = await serve(contents, stall);
    if (web) vi.stubGlobal('navigator', { locks: fakeLocks() });
    const store = memoryStore();
    const abort = new AbortController();
    const first = filesOf(store).keep('model.safetensors', abort.signal);
    const caught = first.catch((error: unknown) => error);
    await expect.poll(() => stalled).toBe(true);
    expect(await readAll(filesOf(store))).toContain('whoever has it has not moved for 1 s');
    abort.abort('over');
    expect(await caught).toBe('over');
    expect(await readAll(filesOf(store))).toBeUndefined();
  });

  test('an abort while another load holds it', async () => {
    server = await serve(
      contents,
      (request) => request.url === '/model.safetensors' && request.headers.range !== 'bytes=0-0',
    );
    const store = memoryStore();
    const abort = new AbortController();
    const first = filesOf(store).keep('model.safetensors', abort.signal);
    await expect.poll(() => server.requests.length).toBeGreaterThan(1);
    const second = filesOf(store).keep('model.safetensors', abort.signal);
    abort.abort('over');
    await expect(first).rejects.toBe('over');
    await expect(second).rejects.toBe('over');
  });
});

/** Web Locks of one tab. */
function fakeLocks() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    request(_: string, { signal }: { signal: AbortSignal }, use: () => Promise<unknown>) {
      const turn = last.catch(() => {}).then(() => (signal.aborted ? Promise.reject(signal.reason) : use()));
      last = turn;
      return turn;
    },
  };
}
