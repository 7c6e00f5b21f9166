import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { chromiumFlags, findBrowser } from '../../scripts/browser.mjs';
import type { models } from '../../src/load/cache.ts';
import type { drain } from './drain.ts';
import { type Contents, hub, serve, type TestServer } from './server.ts';
import { encodeSafetensors, tinyCheckpoint } from './tiny-checkpoint.ts';

declare const vitrine: { drain: typeof drain; models: typeof models };

const id = 'owner/tiny-gpt2';
const megabyte = 1 << 20;
const { config, tensors } = tinyCheckpoint({ nEmbd: 128, vocabSize: 64_000 }); // 33 MB
const weights = encodeSafetensors(tensors);
const repository = hub(id, { 'config.json': JSON.stringify(config), 'model.safetensors': weights });
const page = '<!doctype html><script type="module" src="/drain.js"></script>';

let browser: Browser;
let context: BrowserContext;
let server: TestServer;
let script: string;

beforeAll(async () => {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      lib: { entry: fileURLToPath(new URL('drain.ts', import.meta.url)), formats: ['es'] },
    },
  });
  script = (built as { output: { code: string }[] }[])[0]!.output[0]!.code;
  browser = await chromium.launch({ executablePath: await findBrowser(), args: chromiumFlags });
});
afterAll(() => browser.close());

beforeEach(async () => {
  const own: Record<string, [string, string]> = { '/': ['text/html', page], '/drain.js': ['text/javascript', script] };
  server = await serve(
    repository.contents as Contents,
    (request, response) => {
      const [type, text] = own[request.url!] ?? [];
      if (type === undefined) return repository.answer(request, response);
      return !!response.writeHead(200, { 'Content-Type': type }).end(text);
    },
    { pace: 2 },
  );
  context = await browser.newContext();
});
afterEach(async () => {
  await context.close();
  await server.close();
});

async function open(): Promise<Page> {
  const opened = await context.newPage();
  await opened.goto(server.url);
  await opened.waitForFunction(() => 'vitrine' in globalThis);
  return opened;
}

const load = (opened: Page) =>
  opened.evaluate(([source, endpoint]) => vitrine.drain(source!, { endpoint }), [id, server.url]);

const inWorker = (opened: Page) =>
  opened.evaluate(
    ([source, endpoint]) =>
      new Promise<unknown>((resolve) => {
        const worker = new Worker('/drain.js', { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage({ source, options: { endpoint } });
      }),
    [id, server.url],
  );

const list = (opened: Page) => opened.evaluate(() => vitrine.models.list());

/** What a load makes of the weights, from a page whose storage is its own. */
async function expectedSum(): Promise<number> {
  const other = await browser.newContext();
  const opened = await other.newPage();
  await opened.goto(server.url);
  await opened.waitForFunction(() => 'vitrine' in globalThis);
  const sum = await opened.evaluate(
    ([source, endpoint]) => vitrine.drain(source!, { endpoint, cache: false }),
    [id, server.url],
  );
  await other.close();
  return sum;
}

const whole = () => ({
  name: `${server.url}${id}`,
  bytes: weights.length + JSON.stringify(config).length,
  complete: true,
});

test('a page that is closed while it downloads: the next goes on, and loads without a network after', async () => {
  const expected = await expectedSum();
  const before = server.sent;
  for (const share of [0.1, 0.3, 0.35, 0.7]) {
    const opened = await open();
    const loading = load(opened).catch(() => 'closed');
    await expect
      .poll(() => server.sent - before, { interval: 5, timeout: 20_000 })
      .toBeGreaterThan(share * weights.length);
    await opened.close();
    expect(await loading).toBe('closed');
  }
  const last = await open();
  expect(await list(last)).toMatchObject([{ complete: false }]);
  expect(await load(last)).toBe(expected);
  expect(server.sent - before).toBeLessThan(weights.length + 4 * 8 * megabyte);
  expect(await list(last)).toEqual([whole()]);
  await last.route(/resolve|api|cdn/, (route) => route.abort());
  expect(await load(last)).toBe(expected);
  expect(await last.evaluate(() => vitrine.models.list().then(([model]) => vitrine.models.delete(model!.name)))).toBe(
    true,
  );
  expect(await list(last)).toEqual([]);
});

test('two tabs, one of them in a worker, download once', async () => {
  const expected = await expectedSum();
  const before = server.sent;
  const tabs = await Promise.all([open(), open()]);
  expect(await Promise.all([load(tabs[0]), inWorker(tabs[1])])).toEqual([expected, expected]);
  // Twice would be two lengths; a request that is cut and made again sends a part of it twice.
  expect(server.sent - before).toBeLessThan(1.25 * weights.length);
});

test('a worker writes as well where it must use its own handles', async () => {
  const expected = await expectedSum();
  const opened = await open();
  expect(await inWorker(opened)).toBe(expected);
  expect(await list(opened)).toEqual([whole()]);
});

test('the Cache API, where there is no OPFS', async () => {
  await context.addInitScript(() => {
    StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('none', 'SecurityError'));
  });
  const expected = await expectedSum();
  const opened = await open();
  expect(await load(opened)).toBe(expected);
  const before = server.sent;
  expect(await load(opened)).toBe(expected);
  expect(server.sent).toBe(before);
  expect(await list(opened)).toEqual([whole()]);
});

test('too little room: streamed, not kept', async () => {
  await context.addInitScript(() => {
    StorageManager.prototype.estimate = async () => ({ quota: 20_000_000, usage: 1_000_000 });
  });
  const expected = await expectedSum();
  const opened = await open();
  expect(await load(opened)).toBe(expected);
  expect(await list(opened)).toMatchObject([{ complete: false }]);
});
