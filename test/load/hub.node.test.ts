import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'vite';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CachedFiles } from '../../src/load/cache.ts';
import { pieceBytes } from '../../src/load/cache-download.ts';
import type { CacheStore } from '../../src/load/cache-store.ts';
import { models } from '../../src/load/cached-models.ts';
import { folderStore } from '../../src/load/folder-store.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { errorOf, VitrineError } from '../../src/plan/error.ts';
import { isFull } from '../full.ts';
import { piecesAsked } from './pieces-asked.ts';
import { expectSame, readAll, readAnew } from './read.ts';
import { type Contents, hub, type Misbehave, serve, type TestServer } from './server.ts';
import { encodeSafetensors, shardedFiles, type TinyOptions, tinyCheckpoint, tinyFiles } from './tiny-checkpoint.ts';

const id = 'owner/tiny-gpt2';
const megabyte = 1 << 20;
let server: TestServer;
afterEach(() => server.close());

function filesOf(options?: TinyOptions): Contents {
  const { config, tensors } = tinyCheckpoint(options);
  const tokenizer = { 'vocab.json': '{"a":0}', 'merges.txt': '#version: 0.2\n' };
  return { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors), ...tokenizer };
}

function memoryStore(): CacheStore {
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

const expectedOf = async (options?: TinyOptions) => readAll(await openCheckpoint(tinyFiles(tinyCheckpoint(options))));
const offline: typeof fetch = () => Promise.reject(new TypeError('offline'));

async function loadAll(
  cache: CacheStore | false,
  options: { revision?: string; token?: string; fetch?: typeof fetch } = {},
) {
  const open = () => openCheckpoint(id, { endpoint: server.url, cache, ...options });
  const weights = await readAnew(open);
  const checkpoint = await open();
  expect(await checkpoint.tokenizerFiles()).toMatchObject({ vocab: '{"a":0}' });
  return weights;
}

test.each([true, false])('a repository, with an API: %s; from a new commit only what is new', async (api) => {
  const repository = hub(id, filesOf(), { api });
  server = await serve(repository.contents, repository.answer);
  const store = memoryStore();
  expectSame(await loadAll(store), await expectedOf());
  if (api) expect(server.requests.filter((path) => path.includes('/resolve/main/'))).toEqual([]);
  const before = server.sent;
  repository.files = { ...repository.files, 'README.md': 'new' };
  expectSame(await loadAll(store), await expectedOf());
  expect(server.sent).toBe(before);
  repository.files = { ...repository.files, ...filesOf({ nLayer: 2 }) };
  expectSame(await loadAll(store), await expectedOf({ nLayer: 2 }));
  expectSame(await loadAll(store, { fetch: offline }), await expectedOf({ nLayer: 2 }));
  expect(await models.list(store)).toMatchObject([{ name: `${server.url}${id}`, complete: true }]);
});

test('a commit asks for nothing once it is there', async () => {
  const repository = hub(id, filesOf());
  server = await serve(repository.contents, repository.answer);
  const store = memoryStore();
  const revision = repository.commit;
  await loadAll(store, { revision });
  const before = server.requests.length;
  expectSame(await loadAll(store, { revision }), await expectedOf());
  expect(server.requests.slice(before)).toEqual([expect.stringContaining('GET /api/models/')]); // for tokenizer.json
  expectSame(await loadAll(store, { revision, fetch: offline }), await expectedOf());
});

test('shards', async () => {
  const repository = hub(id, { ...filesOf(), ...shardedFiles(tinyCheckpoint(), 3) });
  delete repository.files['model.safetensors'];
  server = await serve(repository.contents, repository.answer);
  expectSame(await loadAll(memoryStore()), await expectedOf());
});

test('what turns out wrong of one file while the next is read ends the load', async () => {
  const repository = hub(id, { ...filesOf(), ...shardedFiles(tinyCheckpoint(), 3) });
  delete repository.files['model.safetensors'];
  server = await serve(repository.contents, repository.answer);
  const { keep: real } = CachedFiles.prototype;
  const keep = vi.spyOn(CachedFiles.prototype, 'keep').mockImplementation(function (this: CachedFiles, file, ...rest) {
    if (file.includes('-00001-')) return Promise.reject(new Error('other bytes than the hub has'));
    return real.call(this, file, ...rest);
  });
  await expect(loadAll(memoryStore())).rejects.toThrow('other bytes');
  keep.mockRestore();
});

test.each([true, false])('a token goes to the hub, and nowhere else; with a cache: %s', async (cache) => {
  const repository = hub(id, filesOf(), { token: 'hf_x' });
  const elsewhere = await serve(repository.contents, (request) => {
    expect(request.headers.authorization).toBeUndefined();
    return false;
  });
  server = await serve({}, repository.answer);
  await expect(loadAll(cache && memoryStore())).rejects.toMatchObject({
    code: 'network',
    message: expect.stringContaining('401'),
  });
  repository.location = elsewhere.url;
  expectSame(await loadAll(cache && memoryStore(), { token: 'hf_x' }), await expectedOf());
  await elsewhere.close();
});

describe.each([401, 403])('a hub that answers %i', (status) => {
  /** What a load is told, by a hub that has a listing or not. */
  async function refusal(listed: boolean, code: string | undefined, options: { token?: string }, cache = false) {
    const repository = hub(id, filesOf());
    server = await serve({}, (request, response) => {
      if (listed && request.url!.startsWith('/api/')) return repository.answer(request, response);
      if (code !== undefined) response.setHeader('X-Error-Code', code);
      return !!response.writeHead(status).end('Access to this model is restricted.');
    });
    const own = cache ? memoryStore() : (false as const);
    return openCheckpoint(id, { endpoint: server.url, cache: own, ...options }).catch((error: unknown) => error);
  }

  test.each([
    [true, undefined],
    [true, 'GatedRepo'],
    [false, undefined],
    [false, 'GatedRepo'],
  ])('is a gate: listed %s, X-Error-Code %s', async (listed, code) => {
    for (const cache of [true, false]) {
      const error = (await refusal(listed, code, {}, cache)) as VitrineError;
      expect(error).toBeInstanceOf(VitrineError);
      expect(error).toMatchObject({ code: 'network', page: `${server.url}${id}` });
      expect(error.message).toMatch(new RegExp(`gated.*${status}.*Accept its licence at http.*/${id}.*{ token }`));
      expect(errorOf(error.toJSON())).toMatchObject({ page: error.page, message: error.message });
      await server.close();
    }
    const given = (await refusal(listed, code, { token: 'hf_x' })) as VitrineError;
    expect(given.message).toMatch(/the token that was given.*Accept its licence/);
    expect(given.message).not.toContain('hf_x');
  });

  test('has no such model: no gate', async () => {
    const error = (await refusal(false, 'RepoNotFound', {})) as VitrineError;
    expect(error).toMatchObject({ code: 'network', page: undefined });
    expect(error.message).toMatch(/private, or there is no such model.*Check the name/);
  });
});

test('a mirror that answers 403 for what is absent has no gate', async () => {
  const repository = hub(id, filesOf(), { api: false });
  server = await serve(repository.contents, (request, response) => {
    const end = response.writeHead.bind(response);
    response.writeHead = ((code: number, ...rest: []) => end(code === 404 ? 403 : code, ...rest)) as typeof end;
    return repository.answer(request, response);
  });
  expectSame(await loadAll(false), await expectedOf());
});

/** Flips a bit of the weights' first part, the first `n` times. */
const corrupt = (n: number, contents: Contents): Misbehave => {
  let count = 0;
  return (request, response) => {
    const path = decodeURIComponent(request.url!.slice(1));
    const bytes = contents[path];
    const [first, last] = request.headers.range?.match(/\d+/g)?.map(Number) ?? [];
    if (!path.startsWith('cdn/') || typeof bytes === 'string' || !bytes) return false;
    if (first !== 0 || last! < 1e5 || count++ >= n) return false;
    const wrong = bytes.slice(first, last! + 1);
    wrong[wrong.length >> 1]! ^= 4;
    response.writeHead(206, { 'Content-Range': `bytes ${first}-${last}/${bytes.length}` }).end(wrong);
    return true;
  };
};

test.each([true, false])('corrupt bytes are fetched again, once; API: %s', async (api) => {
  const options = { nEmbd: 64, vocabSize: 10_000 };
  for (const [n, right] of [
    [1, true],
    [2, false],
  ] as const) {
    const repository = hub(id, filesOf(options), { api });
    const misbehave = corrupt(n, repository.contents);
    server = await serve(repository.contents, (...both) => misbehave(...both) || repository.answer(...both));
    const store = memoryStore();
    if (!right) {
      await expect(loadAll(store)).rejects.toMatchObject({
        code: 'network',
        message: expect.stringMatching(/model.safetensors hashes to [0-9a-f]{64}; expected [0-9a-f]{64}/),
      });
    }
    expectSame(await loadAll(store), await expectedOf(options));
    if (right) await server.close();
  }
});

/** On a loaded machine a process may stand still for longer than storage and servers may: what it takes for silent, it asks for again. */
const unhurried: Plugin = {
  name: 'unhurried',
  transform: (code, id) => (/\/(patience|http)\.ts$/.test(id) ? code.replace(/\b[136]0_000\b/g, '1e9') : undefined),
};

/** Each is a process of its own, and the next. */
const kills = isFull ? 20 : 8;

test(`killed at ${kills} points, a download goes on: no byte that was kept is asked for again, and all are right`, async () => {
  const options = { nEmbd: 256, vocabSize: isFull ? 96_000 : 64_000 }; // 101 MB, or 68
  const repository = hub(id, filesOf(options));
  server = await serve(repository.contents, repository.answer);
  const folder = await mkdtemp(join(tmpdir(), 'killed-'));
  const entry = fileURLToPath(new URL('drain.ts', import.meta.url));
  await build({
    configFile: false,
    logLevel: 'silent',
    ssr: { noExternal: true },
    plugins: [unhurried],
    build: { ssr: entry, outDir: folder, rolldownOptions: { output: { entryFileNames: 'drain.mjs' } } },
  });
  const store = folderStore(join(folder, 'models'));
  const kept = async () => {
    const keys = await store.keys('');
    const indices = keys.flatMap((key) => /\/model\.safetensors,\w+,(\d+)$/.exec(key)?.[1] ?? []);
    return new Set(indices.map(Number));
  };
  /** Loads in a process of its own, which is killed when it was sent so much, and has kept so many pieces. */
  const load = async (until = Number.POSITIVE_INFINITY, pieces = 0) => {
    const drain = JSON.stringify({ source: id, endpoint: server.url, folder: join(folder, 'models') });
    const env = { ...process.env, VITRINE_DRAIN: drain };
    server.sendUntil(until);
    const child = spawn(process.execPath, [join(folder, 'drain.mjs')], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    if (until < Number.POSITIVE_INFINITY) {
      await expect.poll(() => server.sent, { interval: 2 }).toBeGreaterThanOrEqual(until);
      await expect.poll(async () => (await kept()).size).toBeGreaterThanOrEqual(pieces);
      child.kill('SIGKILL');
    }
    return ended;
  };
  let lost = 0;
  for (let kill = 0, seed = 1; kill < kills; kill++) {
    seed = (seed * 48_271) % 2_147_483_647;
    const [before, sent, from] = [await kept(), server.sent, server.requests.length];
    const bytes = (seed / 2_147_483_647) * 8 * megabyte;
    // At once, in the middle of whatever it does; or when it has kept what it was sent, but for the piece under way.
    const whole = kill % 4 < 2 ? Math.floor(bytes / pieceBytes) - 1 : 0;
    expect(await load(sent + bytes, before.size + whole)).toBeNull();
    expect(piecesAsked(server.requests.slice(from)).filter((piece) => before.has(piece))).toEqual([]);
    const now = await kept();
    expect([...before].filter((piece) => !now.has(piece))).toEqual([]);
    lost += server.sent - sent - (now.size - before.size) * pieceBytes;
  }
  const [before, from] = [await kept(), server.requests.length];
  expect(before.size).toBeGreaterThan(0);
  expect(await load()).toBe(0);
  const last = piecesAsked(server.requests.slice(from));
  expect(last.length).toBeGreaterThan(0);
  expect(last.filter((piece) => before.has(piece))).toEqual([]);
  const size = (repository.files['model.safetensors'] as Uint8Array).length;
  console.log(`${size} bytes in ${kills + 1} loads: ${server.sent} served, ${lost} of them lost at the kills`);
  const cached = await openCheckpoint(id, { endpoint: server.url, cache: store, fetch: offline });
  expectSame(await readAll(cached), await expectedOf(options));
  await rm(folder, { recursive: true });
});
