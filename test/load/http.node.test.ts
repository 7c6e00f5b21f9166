import { afterEach, describe, expect, test, vi } from 'vitest';
import { HttpFiles } from '../../src/load/http.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { expectSame, readAll } from './read.ts';
import { type Contents, type Misbehave, serve, type TestServer } from './server.ts';
import { encodeSafetensors, shardedFiles, type TinyOptions, tinyCheckpoint, tinyFiles } from './tiny-checkpoint.ts';

let server: TestServer;
afterEach(() => server.close());

function contentsOf(options?: TinyOptions, folder = ''): Contents {
  const { config, tensors } = tinyCheckpoint(options);
  return {
    [`${folder}config.json`]: JSON.stringify(config),
    [`${folder}model.safetensors`]: encodeSafetensors(tensors),
  };
}

/** Several megabytes, so that an answer does not fit into the buffers on its way. */
const large: TinyOptions = { nEmbd: 64, vocabSize: 40_000 };
const largeContents = contentsOf(large);

const expectedOf = async (options?: TinyOptions) => readAll(await openCheckpoint(tinyFiles(tinyCheckpoint(options))));

/** The error of a promise that has to fail as a VitrineError, within the time a visitor would wait. */
async function refusal(promise: Promise<unknown>): Promise<VitrineError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VitrineError);
  return error as VitrineError;
}

describe('a server that does as it should', () => {
  test('one request for the config, one for the directory, one for all weights', async () => {
    server = await serve(contentsOf({ nLayer: 3 }));
    const checkpoint = await openCheckpoint(server.url);
    expect(checkpoint.name).toBe(server.url);
    expectSame(await readAll(checkpoint), await expectedOf({ nLayer: 3 }));
    expect(server.requests).toEqual([
      'GET /config.json',
      'GET /model.safetensors bytes=0-65535',
      expect.stringMatching(/^GET \/model.safetensors bytes=\d+-\d+$/),
    ]);
  });

  test('the URL of a weight file, with its query; config.json beside it', async () => {
    const contents = contentsOf();
    server = await serve({
      'a/config.json': contents['config.json']!,
      'a/tiny.safetensors': contents['model.safetensors']!,
    });
    const checkpoint = await openCheckpoint(new URL('a/tiny.safetensors?signed=1', server.url));
    expectSame(await readAll(checkpoint), await expectedOf());
    expect(server.requests.slice(0, 2)).toEqual(['GET /a/config.json', 'GET /a/tiny.safetensors bytes=0-65535']);
  });

  test('shards, where model.safetensors is absent', async () => {
    server = await serve(shardedFiles(tinyCheckpoint(), 3));
    expectSame(await readAll(await openCheckpoint(server.url)), await expectedOf());
  });

  test('a hub id with a revision, at another endpoint', async () => {
    server = await serve(contentsOf({}, 'owner/tiny-gpt2/resolve/refs/pr/1/'));
    const checkpoint = await openCheckpoint('owner/tiny-gpt2', { endpoint: server.url, revision: 'refs/pr/1' });
    expect(checkpoint.name).toBe('owner/tiny-gpt2');
    expectSame(await readAll(checkpoint), await expectedOf());
  });

  test('a redirect, as hubs send to where files lie', async () => {
    server = await serve(contentsOf({}, 'cdn/'), (request, response) => {
      if (request.url?.startsWith('/cdn/')) return false;
      response.writeHead(302, { Location: `/cdn${request.url}` }).end();
      return true;
    });
    expectSame(await readAll(await openCheckpoint(server.url)), await expectedOf());
  });

  test('tokenizer files that are absent', async () => {
    server = await serve({ ...contentsOf(), 'merges.txt': '#version: 0.2\n' });
    expect(await (await openCheckpoint(server.url)).tokenizerFiles()).toEqual({ merges: '#version: 0.2\n' });
  });

  test("a fetch of the caller's", async () => {
    server = await serve(contentsOf());
    const own = vi.fn((...args: Parameters<typeof fetch>) => fetch(...args));
    await readAll(await openCheckpoint(server.url, { fetch: own }));
    expect(own).toHaveBeenCalledTimes(3);
    await expect(own.mock.results[0]!.value).resolves.toMatchObject({ url: `${server.url}config.json` });
    for (const answer of [undefined, {}, { ok: true, status: 200 }]) {
      const broken = async () => answer as Response;
      await expect(openCheckpoint(server.url, { fetch: broken })).rejects.toMatchObject({
        code: 'network',
        message: /fetch gave no Response/,
      });
    }
  });
});

describe('a server that is too simple', () => {
  const whole: (headers: Record<string, string>) => Misbehave = (headers) => (request, response) => {
    if (request.url !== '/model.safetensors') return false;
    response.writeHead(200, headers).end(largeContents['model.safetensors']);
    return true;
  };

  test.each([
    ['ignores ranges', {}],
    ['ignores ranges and says no length', { 'Transfer-Encoding': 'chunked' }],
  ])('%s: the file is read from its beginning, once', async (_, headers) => {
    server = await serve(largeContents, whole(headers as Record<string, string>));
    const checkpoint = await openCheckpoint(server.url);
    expectSame(await readAll(checkpoint), await expectedOf(large));
    expect(server.requests).toHaveLength(3);
  });

  test.each([
    ['ignores ranges: what lies between is read over', true, 3],
    ['takes ranges: what lies between is not fetched', false, 4],
  ])('%s', async (_, ignores, requests) => {
    const { config, tensors } = tinyCheckpoint();
    const between = { dtype: 'U8', shape: [1, 1, 2000, 2000], bytes: new Uint8Array(4_000_000) };
    const [first, ...rest] = tensors;
    const file = encodeSafetensors(new Map([first!, ['h.0.attn.bias', between], ...rest]));
    server = await serve({ 'config.json': JSON.stringify(config), 'model.safetensors': file }, (request) => {
      if (ignores) delete request.headers.range;
      return false;
    });
    expectSame(await readAll(await openCheckpoint(server.url)), await expectedOf());
    expect(server.requests).toHaveLength(requests);
  });

  test('ignores ranges, and weights are asked for out of order', async () => {
    server = await serve(contentsOf(), (request) => {
      delete request.headers.range;
      return false;
    });
    const checkpoint = await openCheckpoint(server.url);
    const expected = await expectedOf();
    for (const weight of gpt2Plan(checkpoint.config).weights.reverse()) {
      for await (const piece of checkpoint.read(weight)) expect(piece).toEqual(expected.get(weight.name));
    }
    checkpoint.close();
  });

  test('a part of a file is that part, whatever the server sends', async () => {
    server = await serve({ 'digits.txt': '0123456789' }, (request) => {
      delete request.headers.range;
      return false;
    });
    const opened = await new HttpFiles('', (file) => server.url + file).open('digits.txt', 3, 6);
    const parts: string[] = [];
    for await (const part of opened!.bytes) parts.push(new TextDecoder().decode(part));
    expect(parts.join('')).toBe('345');
  });

  test('answers 403 for what is absent, as S3 does', async () => {
    server = await serve(contentsOf(), (request, response) => {
      if (!request.url?.match(/tokenizer|vocab|merges/)) return false;
      response.writeHead(403).end();
      return true;
    });
    expect(await (await openCheckpoint(server.url)).tokenizerFiles()).toEqual({});
  });

  test('answers every path with its page: absent where it may be, else refused', async () => {
    const page: Misbehave = (request, response) => {
      if (request.url === '/config.json' || request.url?.endsWith('.safetensors')) return false;
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<!doctype html>');
      return true;
    };
    server = await serve(contentsOf(), page);
    expect(await (await openCheckpoint(server.url)).tokenizerFiles()).toEqual({});
    const { code, message } = await refusal(openCheckpoint(`${server.url}elsewhere/`));
    expect(message).toContain(`${server.url}elsewhere/config.json answered with a web page`);
    expect(code).toBe('network');
  });
});

describe('a failure', () => {
  test.each([401, 429, 500, 503])('status %i', async (status) => {
    server = await serve(contentsOf(), (request, response) => {
      if (request.url !== '/model.safetensors') return false;
      response.writeHead(status).end('no');
      return true;
    });
    const { code, message, hint } = await refusal(openCheckpoint(server.url));
    expect(code).toBe('network');
    expect(message).toContain(`${server.url}model.safetensors answered ${status}`);
    expect(hint).toContain('try again later');
  });

  test.each([
    ['config.json', {}, 'config.json answered 404'],
    ['model.safetensors', { 'config.json': contentsOf()['config.json']! }, 'model.safetensors answered 404'],
  ])('%s absent', async (file, contents, expected) => {
    server = await serve(contents as Contents);
    const { code, message } = await refusal(openCheckpoint(server.url));
    expect(code).toBe('network');
    expect(message).toContain(`${server.url}${expected}`);
    expect(message).toContain(`has no ${file}`);
  });

  test('only a pickle', async () => {
    server = await serve({ 'config.json': contentsOf()['config.json']!, 'pytorch_model.bin': 'PK' });
    const { code, message } = await refusal(openCheckpoint(server.url));
    expect(code).toBe('unsupported-checkpoint');
    expect(message).toContain('save_pretrained');
  });

  test('an empty weight file', async () => {
    server = await serve({ ...contentsOf(), 'model.safetensors': '' });
    const { code, message } = await refusal(openCheckpoint(server.url));
    expect(code).toBe('bad-checkpoint');
    expect(message).toContain('model.safetensors is 0 bytes long');
  });

  test('nobody listens', async () => {
    server = await serve({});
    await server.close();
    const { code, message } = await refusal(openCheckpoint(server.url));
    expect(code).toBe('network');
    expect(message).toMatch(/config\.json could not be fetched: .*ECONNREFUSED/);
  });

  test.each([
    ['while the directory is read', 0],
    ['while weights are read', 1],
  ])('the connection is cut %s', async (_, sound) => {
    let answers = 0;
    server = await serve(largeContents, (request, response) => {
      if (request.url !== '/model.safetensors' || answers++ < sound) return false;
      const bytes = largeContents['model.safetensors'] as Uint8Array;
      const start = Number(/\d+/.exec(request.headers.range!)![0]);
      const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
      response.writeHead(206, { 'Content-Range': range, 'Content-Length': bytes.length - start });
      response.write(bytes.subarray(start, start + 1000), () => response.destroy());
      return true;
    });
    const { code, message } = await refusal(openCheckpoint(server.url).then((checkpoint) => readAll(checkpoint)));
    expect(code).toBe('network');
    expect(message).toContain('model.safetensors was cut off after ');
  });

  test('an answer that ends early without an error', async () => {
    let answers = 0;
    server = await serve(largeContents, (request, response) => {
      if (request.url !== '/model.safetensors' || answers++ === 0) return false;
      const bytes = largeContents['model.safetensors'] as Uint8Array;
      const [start, end] = request.headers.range!.match(/\d+/g)!.map(Number) as [number, number];
      response
        .writeHead(206, { 'Content-Range': `bytes ${start}-${end}/${bytes.length}` })
        .end(bytes.subarray(start, start + 5000));
      return true;
    });
    const checkpoint = await openCheckpoint(server.url);
    const { code, message } = await refusal(readAll(checkpoint));
    expect(code).toBe('network');
    expect(message).toMatch(/model\.safetensors ended after 5000 of \d+ bytes/);
  });

  test('another range than asked for', async () => {
    server = await serve(contentsOf(), (request, response) => {
      if (!request.headers.range || request.headers.range.startsWith('bytes=0-')) return false;
      response.writeHead(206, { 'Content-Range': 'bytes 0-9/5000' }).end('0123456789');
      return true;
    });
    const checkpoint = await openCheckpoint(server.url);
    const { code, message } = await refusal(readAll(checkpoint));
    expect(code).toBe('network');
    expect(message).toMatch(/answered with bytes 0-9\/5000 when asked for \d+-\d+/);
  });

  test('a weight file that is cut short on the server is refused before it is read', async () => {
    server = await serve({ ...largeContents, 'model.safetensors': largeContents['model.safetensors']!.slice(0, -1) });
    expect((await refusal(openCheckpoint(server.url))).code).toBe('bad-checkpoint');
    expect(server.requests).toHaveLength(2);
  });

  test('a tensor beyond the end of a file whose length nobody said', async () => {
    const bytes = largeContents['model.safetensors']!.slice(0, -4);
    server = await serve(largeContents, (request, response) => {
      if (request.url !== '/model.safetensors') return false;
      response.writeHead(200, { 'Transfer-Encoding': 'chunked' }).end(bytes);
      return true;
    });
    const { code, message } = await refusal(openCheckpoint(server.url).then((checkpoint) => readAll(checkpoint)));
    expect(code).toBe('bad-checkpoint');
    expect(message).toMatch(/ends at byte \d+, within ln_f.bias/);
  });
});

describe('abort', () => {
  const reason = new Error('changed my mind');

  test.each(['/config.json', '/model.safetensors'])('while %s does not come', async (path) => {
    server = await serve(contentsOf(), (request) => request.url === path);
    const abort = new AbortController();
    const opening = openCheckpoint(server.url, { signal: abort.signal });
    await expect.poll(() => server.requests.some((request) => request.includes(path))).toBe(true);
    abort.abort(reason); // the server never answers, so this is what ends it
    await expect(opening).rejects.toBe(reason);
  });

  test('while the weights trickle in: at once, and the connection is closed', async () => {
    let answers = 0;
    let closed = false;
    server = await serve(largeContents, (request, response) => {
      if (request.url !== '/model.safetensors' || answers++ === 0) return false;
      response.writeHead(206).write('abc'); // and no more
      response.once('close', () => (closed = true));
      return true;
    });
    const abort = new AbortController();
    const checkpoint = await openCheckpoint(server.url);
    const reading = readAll(checkpoint, abort.signal);
    await expect.poll(() => answers).toBeGreaterThan(1);
    abort.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await expect.poll(() => closed).toBe(true);
  });

  test('a weight that is left half-read ends its download', async () => {
    let answers = 0;
    let closed = false;
    server = await serve(largeContents, (request, response) => {
      if (request.url === '/model.safetensors' && answers++ === 1) response.once('close', () => (closed = true));
      return false;
    });
    const checkpoint = await openCheckpoint(server.url);
    const [weight] = checkpoint.check(gpt2Plan(checkpoint.config).weights);
    for await (const _ of checkpoint.read(weight!)) break;
    await expect.poll(() => closed).toBe(true);
    expectSame(await readAll(checkpoint), await expectedOf(large));
  });
});
