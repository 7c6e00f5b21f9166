import { utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type LoadOptions, load, type Progress } from '../../src/index.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { Changed } from '../../src/load/versions.ts';
import { readAll } from './read.ts';
import { type Contents, hub, type Misbehave, serve, type TestServer } from './server.ts';
import { encodeSafetensors, shardedFiles, type TensorData, tinyCheckpoint } from './tiny-checkpoint.ts';
import { encodeGguf, tinyGguf } from './tiny-gguf.ts';

/** Files that are replaced while they are read: a load has one version of each, or begins anew. */

let server: TestServer;
afterEach(() => server?.close());

const ids = [1, 2, 3];

/** All weights of it are other than in version 0. A gap makes the weights two ranges. */
function checkpointOf(version: number, { vocabSize = 300, gap = false } = {}) {
  const { config, tensors } = tinyCheckpoint({ nEmbd: 16, vocabSize });
  for (const { bytes } of tensors.values()) {
    const values = new Float32Array(bytes.buffer);
    for (const [i, value] of values.entries()) values[i] = value * (1 + version / 8);
  }
  const mask: TensorData = { dtype: 'U8', shape: [1, 1, 2000, 2000], bytes: new Uint8Array(4_000_000) };
  const all = gap
    ? new Map([...tensors].flatMap((one, i) => (i === 3 ? [['h.0.attn.bias', mask] as const, one] : [one])))
    : tensors;
  return { config, tensors: all };
}

function filesOf(version: number, shape?: { vocabSize?: number; gap?: boolean }): Contents {
  const { config, tensors } = checkpointOf(version, shape);
  return { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) };
}

async function logitsOf(source: Parameters<typeof load>[0], options: LoadOptions = {}): Promise<Float32Array> {
  const model = await load(source, { device: 'cpu', ...options });
  const { data } = await model.logits(ids);
  model.dispose();
  return data;
}

const asFiles = (contents: Contents) =>
  Object.entries(contents).map(([name, content]) => new File([content as never], name));

const isWeights = ({ url, headers }: IncomingMessage) =>
  /\.(safetensors|gguf)$/.test(url ?? '') && !/^bytes=0-(0|65535)$/.test(headers.range ?? '');

type Naming = 'etag' | 'weak' | 'modified' | 'length';

/** Serves `versions` one after the other; the next one comes before each request that `turn` says. */
async function replaced(
  versions: Contents[],
  turn: (request: IncomingMessage) => boolean,
  naming: Naming,
  ignoresRanges = false,
) {
  const contents: Contents = { ...versions[0]! };
  let at = 0;
  const answer: Misbehave = (request, response) => {
    if (turn(request)) Object.assign(contents, versions[(at = Math.min(at + 1, versions.length - 1))]);
    if (ignoresRanges) delete request.headers.range;
    if (naming === 'weak') response.setHeader('ETag', `W/"${at}"`);
    if (naming === 'modified') response.setHeader('Last-Modified', new Date(1e12 + at * 1000).toUTCString());
    return false;
  };
  server = await serve(contents, answer, { etags: naming === 'etag' });
  return () => at;
}

/** True the `nth` time, from 1, that `is` is. */
const once = (is: (request: IncomingMessage) => boolean, nth = 1) => {
  let count = 0;
  return (request: IncomingMessage) => is(request) && ++count === nth;
};

describe('a file that changes is read in one version', () => {
  const cases = (['etag', 'weak', 'modified', 'length'] as const).flatMap((naming) =>
    [false, true].map((ignores): [Naming, string, boolean] => [
      naming,
      ignores ? 'ignores ranges' : 'takes ranges',
      ignores,
    ]),
  );
  test.each(cases)('between header and weights, told by %s, at a server that %s', async (naming, _, ignores) => {
    const second = filesOf(1, { vocabSize: naming === 'length' ? 301 : 300 });
    const told: Progress[] = [];
    const turn = ignores ? once(({ url }) => url === '/model.safetensors', 2) : once(isWeights);
    const versions = await replaced([filesOf(0), second], turn, naming, ignores);
    const onProgress = (progress: Progress) => void told.push(progress);
    expect(await logitsOf(server.url, { cache: false, onProgress })).toEqual(await logitsOf(asFiles(second)));
    expect(versions()).toBe(1);
    const loaded = told.map((progress) => progress.loaded);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
    expect(told.every((progress) => progress.loaded <= progress.total)).toBe(true);
    expect(told.at(-1)).toMatchObject({ stage: 'ready', loaded: told.at(-1)!.total });
  });

  test.each(['etag', 'modified', 'length'] as const)('between two ranges of weights, told by %s', async (naming) => {
    const second = filesOf(1, { vocabSize: naming === 'length' ? 301 : 300, gap: true });
    const versions = await replaced([filesOf(0, { gap: true }), second], once(isWeights, 2), naming);
    expect(await logitsOf(server.url, { cache: false })).toEqual(await logitsOf(asFiles(second)));
    expect(versions()).toBe(1);
  });

  test('between two parts of a long header', async () => {
    const padded = (version: number) => {
      const { config, tensors } = checkpointOf(version);
      return {
        'config.json': JSON.stringify(config),
        'model.safetensors': encodeSafetensors(tensors, undefined, 99_990 + version),
      };
    };
    await replaced([padded(0), padded(5)], once(isWeights), 'etag');
    expect(await logitsOf(server.url, { cache: false })).toEqual(await logitsOf(asFiles(padded(5))));
  });

  test('one of several shards', async () => {
    const first = shardedFiles(checkpointOf(0), 3);
    const second = shardedFiles(checkpointOf(1), 3);
    for (const nth of [1, 2, 3]) {
      await replaced([first, second], once(isWeights, nth), 'etag');
      expect(await logitsOf(server.url, { cache: false })).toEqual(await logitsOf(asFiles(second)));
      await server.close();
    }
  });

  test('GGUF, between its metadata and weights', async () => {
    const ggufOf = (scale: number) => {
      const parts = tinyGguf({ vocabSize: 16 });
      for (const { bytes } of parts.tensors) {
        const values = new Float32Array(bytes.buffer);
        for (const [i, value] of values.entries()) values[i] = value * scale;
      }
      return { 'x.gguf': encodeGguf(parts) };
    };
    await replaced(
      [ggufOf(1), ggufOf(1.5)],
      once(({ url }) => url === '/x.gguf', 2),
      'etag',
    );
    const found = await logitsOf(`${server.url}x.gguf`, { cache: false });
    expect(found).toEqual(await logitsOf(asFiles(ggufOf(1.5))));
  });

  test('through a cache: the header is of the version that was kept', async () => {
    const values = new Map<string, Uint8Array<ArrayBuffer>>();
    const cache = {
      get: async (key: string) => values.get(key),
      put: async (key: string, value: Uint8Array<ArrayBuffer>) => void values.set(key, value.slice()),
    };
    const second = filesOf(1, { vocabSize: 301 });
    for (const later of [second, filesOf(1)]) {
      values.clear();
      await replaced([filesOf(0), later], once(isWeights), 'etag');
      expect(await logitsOf(server.url, { cache })).toEqual(await logitsOf(asFiles(later)));
      await server.close();
    }
  });

  test('on disk', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'changing-'));
    const write = (version: number) => {
      for (const [name, content] of Object.entries(filesOf(version))) {
        writeFileSync(join(folder, name), content);
        utimesSync(join(folder, name), 1e6 + version, 1e6 + version);
      }
    };
    write(0);
    let begun = 0;
    const onProgress = ({ stage }: Progress) => {
      if (stage === 'tokenizer' && begun++ === 0) write(1);
    };
    expect(await logitsOf(folder, { onProgress })).toEqual(await logitsOf(asFiles(filesOf(1))));
    expect(begun).toBe(2);
    const checkpoint = await openCheckpoint(folder);
    write(3);
    await expect(readAll(checkpoint)).rejects.toBeInstanceOf(Changed);
    await rm(folder, { recursive: true });
  });
});

describe('what is no change', () => {
  test.each<[string, Misbehave]>([
    [
      'a weak ETag that is strong elsewhere',
      (request, response) => void response.setHeader('ETag', isWeights(request) ? 'W/"a"' : '"a"'),
    ],
    [
      'an ETag that only some answers have',
      (request, response) => void (isWeights(request) && response.setHeader('ETag', '"a"')),
    ],
    [
      'an ETag, and dates of several servers',
      (request, response) => {
        response
          .setHeader('ETag', '"a"')
          .setHeader('Last-Modified', new Date(isWeights(request) ? 1e12 : 2e12).toUTCString());
        return false;
      },
    ],
    [
      'a date where an ETag was',
      (request, response) =>
        void response.setHeader(
          ...((isWeights(request) ? ['Last-Modified', new Date(1e12).toUTCString()] : ['ETag', '"a"']) as [
            string,
            string,
          ]),
        ),
    ],
  ])('%s', async (_, misbehave) => {
    server = await serve(filesOf(0), misbehave, { etags: false });
    expect(await logitsOf(server.url, { cache: false })).toEqual(await logitsOf(asFiles(filesOf(0))));
    expect(server.requests.filter((request) => request === 'GET /config.json')).toHaveLength(1);
  });

  test('the names that the servers behind a hub give the same bytes', async () => {
    const repository = hub('owner/tiny', filesOf(0));
    const mirror = await serve(repository.contents, (_, response) => void response.setHeader('ETag', '"other"'), {
      etags: false,
    });
    let count = 0;
    server = await serve(repository.contents, (...both) => {
      repository.location = count++ % 2 ? '/' : mirror.url;
      return repository.answer(...both);
    });
    const found = await logitsOf('owner/tiny', { endpoint: server.url, cache: false });
    expect(found).toEqual(await logitsOf(asFiles(filesOf(0))));
    await mirror.close();
  });
});

test('a file that changes each time ends the load, and says so', async () => {
  let count = 0;
  server = await serve(filesOf(0), (_, response) => void response.setHeader('ETag', `"${count++}"`), { etags: false });
  const error = await load(server.url, { device: 'cpu', cache: false }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Changed);
  expect(error).toMatchObject({
    code: 'network',
    message: expect.stringContaining('model.safetensors changed while it was read'),
  });
  expect(server.requests.filter((request) => request === 'GET /config.json')).toHaveLength(3);
});

test('a file that is gone, or empty, after its header', async () => {
  for (const [contents, message] of [
    [{ 'model.safetensors': undefined }, 'answered 404'],
    [{ 'model.safetensors': '' }, 'is 0 bytes long'],
  ] as const) {
    await replaced([filesOf(0), contents as never], once(isWeights), 'etag');
    await expect(load(server.url, { device: 'cpu', cache: false })).rejects.toThrow(message);
    await server.close();
  }
});

test('an abort between two versions is heard', async () => {
  const abort = new AbortController();
  const reason = new Error('enough');
  let count = 0;
  server = await serve(
    filesOf(0),
    (request, response) => {
      if (request.url === '/config.json' && count > 0) abort.abort(reason);
      response.setHeader('ETag', `"${count++}"`);
      return false;
    },
    { etags: false },
  );
  await expect(load(server.url, { device: 'cpu', cache: false, signal: abort.signal })).rejects.toBe(reason);
});
