import { afterEach, describe, expect, test, vi } from 'vitest';
import { type LoadOptions, load, type Progress } from '../../src/index.ts';
import type { CacheStore } from '../../src/load/cache-store.ts';
import { readFixture } from '../fixtures.ts';
import { type Contents, hub, type Misbehave, serve, type TestServer } from './server.ts';
import { encodeSafetensors, shardedFiles, tinyCheckpoint } from './tiny-checkpoint.ts';
import { encodeGguf, tinyGguf } from './tiny-gguf.ts';

let server: TestServer;
afterEach(async () => {
  vi.unstubAllGlobals();
  await server?.close();
});

const reason = new Error('enough');
const own = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>;

/** Two megabytes of weights and a tokenizer in files of its own. */
const tiny = tinyCheckpoint({ nEmbd: 64, vocabSize: 8000 });
const tokenizer = { 'vocab.json': '{"a":0,"b":1,"ab":2}', 'merges.txt': '#version: 0.2\na b\n' };
const contents: Contents = {
  'config.json': JSON.stringify(tiny.config),
  'model.safetensors': encodeSafetensors(tiny.tensors),
  ...tokenizer,
};

function memoryStore(): CacheStore & { values: Map<string, Uint8Array<ArrayBuffer>> } {
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

const isWeights = (request: string) =>
  / bytes=(?!0-)/.test(request) || /safetensors bytes=0-(?!0$|65535$)/.test(request);

describe('small files come first', () => {
  test.each<[string, Contents]>([
    ['one file', contents],
    ['shards', { ...shardedFiles(tiny, 3), ...tokenizer }],
  ])('%s: config, directories, tokenizer, then weights', async (_, files) => {
    for (const cache of [false, memoryStore()] as const) {
      server = await serve(files);
      const stages: string[] = [];
      const onProgress = ({ stage, loaded, total }: Progress) => {
        if (stages.at(-1) !== stage) stages.push(stage);
        expect(loaded).toBeLessThanOrEqual(stage === 'tokenizer' ? 0 : total);
      };
      const model = await load(server.url, { device: 'cpu', cache, onProgress });
      expect(stages).toEqual(['config', 'tokenizer', 'weights', 'ready']);
      expect(model.tokenizer.encode('ab')).toEqual([2]);
      const first = server.requests.findIndex(isWeights);
      expect(first).toBeGreaterThan(0);
      const after = server.requests.slice(first).filter((request) => !request.includes('.safetensors'));
      expect(after).toEqual([]);
      await server.close();
    }
  });

  test.each<[string, Contents, string]>([
    ['a broken tokenizer.json', { 'tokenizer.json': '{' }, 'tokenizer.json is not JSON'],
    ['a vocabulary without merges', { 'merges.txt': undefined as never }, 'merges.txt is missing'],
    ['an id beyond the model', { 'vocab.json': '{"a":8000}' }, '"a" has the id 8000'],
    [
      'a tensor that is not there',
      { 'config.json': JSON.stringify({ ...tiny.config, n_layer: 2 }) },
      'lacks the tensor',
    ],
  ])('%s is found before any weight is asked for', async (_, changes, message) => {
    for (const cache of [false, memoryStore()] as const) {
      server = await serve({ ...contents, ...changes });
      await expect(load(server.url, { device: 'cpu', cache })).rejects.toThrow(message);
      expect(server.requests.filter(isWeights)).toEqual([]);
      await server.close();
    }
  });

  test('a broken vocabulary in GGUF is found before its weights', async () => {
    const parts = tinyGguf({ nEmbd: 256, vocabSize: 4000 });
    parts.fields.set('tokenizer.ggml.merges', ['zz zz']);
    server = await serve({ 'x.gguf': encodeGguf(parts) });
    await expect(load(`${server.url}x.gguf`, { device: 'cpu' })).rejects.toThrow('needs "zz"');
    expect(server.requests).toHaveLength(1);
  });
});

/** Where nothing comes any more for the `nth` request that goes out. */
const silentFrom = (nth: number): { answer: Misbehave; reached: Promise<void> } => {
  let count = 0;
  let reach = () => {};
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const answer: Misbehave = () => {
    if (count++ < nth) return false;
    reach();
    return true;
  };
  return { answer, reached };
};

describe('an abort is heard', () => {
  const repository = () => hub('owner/tiny', contents);
  const gguf = encodeGguf(tinyGguf({ nEmbd: 256, vocabSize: 3000 }));

  test.each<[string, (url: string) => Parameters<typeof load>, Misbehave | undefined, Contents]>([
    ['a folder', (url) => [url, { cache: false }], undefined, contents],
    ['a folder, kept', (url) => [url, { cache: memoryStore() }], undefined, contents],
    ['a hub', (url) => ['owner/tiny', { endpoint: url, cache: false }], repository().answer, {}],
    ['a hub, kept', (url) => ['owner/tiny', { endpoint: url, cache: memoryStore() }], repository().answer, {}],
    ['GGUF', (url) => [`${url}x.gguf`, { cache: false }], undefined, { 'x.gguf': gguf }],
    ['GGUF, kept', (url) => [`${url}x.gguf`, { cache: memoryStore() }], undefined, { 'x.gguf': gguf }],
  ])('during every request: %s', async (_, sourceOf, misbehave, files) => {
    const whole = hub('owner/tiny', contents);
    const served = misbehave ? whole.contents : files;
    const answer: Misbehave = misbehave ? whole.answer : () => false;
    server = await serve(served, answer);
    const [source, options] = sourceOf(server.url);
    (await load(source, { device: 'cpu', ...options })).dispose();
    const requests = server.requests.length;
    await server.close();
    expect(requests).toBeGreaterThan(1);
    for (let nth = 0; nth < requests; nth++) {
      const silent = silentFrom(nth);
      server = await serve(served, (...both) => silent.answer(...both) || answer(...both));
      const abort = new AbortController();
      const [again, more] = sourceOf(server.url);
      const loading = load(again, { device: 'cpu', ...more, signal: abort.signal });
      const ended = loading.then(
        () => 'a model',
        (error: unknown) => error,
      );
      await Promise.race([silent.reached, ended]);
      abort.abort(reason);
      expect(await ended, `request ${nth}: ${server.requests.at(-1)}`).toBe(reason);
      await server.close();
    }
  });

  test('while an adapter does not come', async () => {
    const abort = new AbortController();
    const requestAdapter = () => {
      abort.abort(reason);
      return new Promise(() => {});
    };
    vi.stubGlobal('navigator', { gpu: { requestAdapter } });
    server = await serve(contents);
    const loading = load(server.url, { device: 'webgpu', cache: false, signal: abort.signal });
    await expect(loading).rejects.toBe(reason);
    expect(server.requests.filter(isWeights)).toEqual([]);
  });

  test.each(['config', 'tokenizer', 'weights', 'ready'])(
    'from onProgress, at the stage %s; no word after it',
    async (stage) => {
      for (const cache of [false, memoryStore()] as const) {
        server = await serve(contents);
        const abort = new AbortController();
        const told: string[] = [];
        const onProgress = (progress: Progress) => {
          told.push(progress.stage);
          if (progress.stage === stage) abort.abort(reason);
        };
        const loading = load(server.url, { device: 'cpu', cache, signal: abort.signal, onProgress });
        await expect(loading).rejects.toBe(reason);
        expect(told.indexOf(stage)).toBe(told.length - 1);
        await server.close();
      }
    },
  );
});

describe('what onProgress throws ends the load', () => {
  const stages = ['config', 'tokenizer', 'weights', 'ready'];

  test.each(stages)('at the stage %s, as it is', async (stage) => {
    for (const thrown of [new TypeError('of the caller'), 'a word', null]) {
      for (const cache of [false, memoryStore()] as const) {
        for (const isAsync of [false, true]) {
          server = await serve(contents);
          let calls = 0;
          const fail = (progress: Progress) => {
            if (progress.stage !== stage) return;
            calls++;
            throw thrown;
          };
          // As the last word of a load, a promise is heard of too late.
          const onProgress = isAsync && stage !== 'ready' ? async (progress: Progress) => fail(progress) : fail;
          const options: LoadOptions = { device: 'cpu', cache, onProgress };
          const found = await load(server.url, options).catch((error: unknown) => ({ error }));
          expect(found).toEqual({ error: thrown });
          expect(calls).toBe(1);
          await server.close();
        }
      }
    }
  });

  test('and costs the cache nothing', async () => {
    const { tensors } = tinyCheckpoint({ nEmbd: 64, vocabSize: 40_000 });
    const config = JSON.stringify({ ...tiny.config, vocab_size: 40_000 });
    server = await serve({ ...contents, 'config.json': config, 'model.safetensors': encodeSafetensors(tensors) });
    const cache = memoryStore();
    const onProgress = ({ loaded }: Progress) => {
      if (loaded > 8e6) throw reason; // one of three requests has brought a piece by then
    };
    await expect(load(server.url, { device: 'cpu', cache, onProgress })).rejects.toBe(reason);
    expect([...cache.values.keys()].some((key) => /safetensors.*,\d+$/.test(key))).toBe(true);
    (await load(server.url, { device: 'cpu', cache })).dispose();
  });
});

test('files are checked in the same order', async () => {
  const files = ['config.json', 'model.safetensors'].map(
    async (name) => new File([own(await readFixture(`tiny-gpt2/${name}`))], name),
  );
  const broken = [...(await Promise.all(files)), new File(['{'], 'tokenizer.json')];
  const stages: string[] = [];
  const loading = load(broken, { device: 'cpu', onProgress: ({ stage }) => void stages.push(stage) });
  await expect(loading).rejects.toThrow('tokenizer.json is not JSON');
  expect(stages).toEqual(['config', 'tokenizer']);
});

test('the kernels of WebAssembly compile while the first file comes, once for all models', async () => {
  // The last test of its file: all that is imported from here on is anew, also what another file had compiled.
  vi.resetModules();
  const { load } = await import('../../src/index.ts');
  const compile = vi.spyOn(WebAssembly, 'compile');
  server = await serve(contents, (request, response) => {
    if (request.url !== '/config.json' || compile.mock.calls.length > 0) return false;
    void vi
      .waitUntil(() => compile.mock.calls.length > 0, { timeout: 60_000 })
      .then(() => response.end(contents['config.json']));
    return true;
  });
  for (let i = 0; i < 2; i++) (await load(server.url, { device: 'wasm', threads: 1, cache: false })).dispose();
  expect(compile).toHaveBeenCalledOnce();
  compile.mockRestore();
});
