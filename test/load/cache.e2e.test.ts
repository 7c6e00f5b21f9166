import type { Browser, BrowserContext, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { pieceBytes } from '../../src/load/cache-download.ts';
import { newContext, sharedBrowser } from '../site.ts';
import { drainSite, id, type Vitrine } from './drain-site.ts';
import type { TestServer } from './server.ts';

declare const vitrine: Vitrine;

let browser: Browser;
let context: BrowserContext;
let server: TestServer;
let size: number;
let whole: Awaited<ReturnType<typeof drainSite>>['whole'];
/** What a load makes of the weights, without a cache. */
let expected: number;

beforeAll(async () => {
  browser = await sharedBrowser();
  ({ server, size, whole } = await drainSite());
  context = await newContext(browser);
  expected = await (await open()).evaluate(
    ([source, endpoint]) => vitrine.drain(source!, { endpoint, cache: false }),
    [id, server.url],
  );
  await context.close();
});
afterAll(() => server.close());

// The storage is each context's own.
beforeEach(async () => {
  server.sendUntil(Number.POSITIVE_INFINITY);
  context = await newContext(browser);
});
afterEach(() => context.close());

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

test('a page that is closed while it downloads: the next goes on, and loads without a network after', async () => {
  const before = server.sent;
  for (const share of [0.2, 0.6]) {
    const opened = await open();
    server.sendUntil(before + share * size);
    const loading = load(opened).catch(() => 'closed');
    await expect.poll(() => server.sent - before, { interval: 5 }).toBeGreaterThanOrEqual(share * size);
    await opened.close();
    expect(await loading).toBe('closed');
    server.sendUntil(Number.POSITIVE_INFINITY);
  }
  const last = await open();
  expect(await list(last)).toMatchObject([{ complete: false }]);
  expect(await load(last)).toBe(expected);
  expect(await list(last)).toEqual([whole]);
  await last.route(/resolve|api|cdn/, (route) => route.abort());
  expect(await load(last)).toBe(expected);
  expect(await last.evaluate(() => vitrine.models.list().then(([model]) => vitrine.models.delete(model!.name)))).toBe(
    true,
  );
  expect(await list(last)).toEqual([]);
});

test('two tabs, one of them in a worker, download once', async () => {
  const before = server.sent;
  const tabs = await Promise.all([open(), open()]);
  expect(await Promise.all([load(tabs[0]), inWorker(tabs[1])])).toEqual([expected, expected]);
  // Twice would be two lengths; a request that is cut and made again sends a part of it twice.
  expect(server.sent - before).toBeLessThan(1.25 * size);
});

/** The files that the cache has of the weights. */
const filesOfWeights = (opened: Page) =>
  opened.evaluate(async () => {
    const names: string[] = [];
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('vitrine');
    for await (const folder of root.values() as AsyncIterable<FileSystemDirectoryHandle>)
      for await (const name of folder.keys() as AsyncIterable<string>)
        if (/^model\.safetensors,.*(?<!\.crswap)$/.test(name)) names.push(name.replace(/^.*,/, '')); // Chromium drafts there
    return names.sort();
  });

test('a worker keeps all pieces in one file, and reads those of pages and of earlier builds; a page reads both', async () => {
  const opened = await open();
  expect(await inWorker(opened)).toBe(expected);
  expect(await filesOfWeights(opened)).toEqual(['entry', 'pieces']);
  expect(await list(opened)).toEqual([whole]);
  const before = server.sent;
  expect(await load(opened)).toBe(expected);
  expect(await inWorker(opened)).toBe(expected);
  expect(server.sent).toBe(before);
  await opened.evaluate((name) => vitrine.models.delete(name), whole.name);
  expect(await load(opened)).toBe(expected);
  const indices = Array.from({ length: Math.ceil(size / pieceBytes) }, (_, i) => String(i));
  expect(await filesOfWeights(opened)).toEqual([...indices, 'entry'].sort());
  const kept = server.sent;
  expect(await inWorker(opened)).toBe(expected);
  expect(server.sent).toBe(kept);
});

test('a model cannot be deleted while a worker downloads it, which is told; it can be after', async () => {
  const opened = await open();
  const remove = () =>
    opened.evaluate((name) => vitrine.models.delete(name).catch((error: Error) => error.message), whole.name);
  const before = server.sent;
  server.sendUntil(before + size / 2);
  const loading = inWorker(opened);
  await expect.poll(() => server.sent - before, { interval: 5 }).toBeGreaterThanOrEqual(size / 2);
  await expect.poll(async () => (await list(opened))[0]?.bytes).toBeGreaterThan(size / 4);
  expect(await remove()).toMatch(/is being loaded/);
  server.sendUntil(Number.POSITIVE_INFINITY);
  expect(await loading).toBe(expected);
  expect(await list(opened)).toEqual([whole]);
  expect(await remove()).toBe(true);
  expect(await list(opened)).toEqual([]);
});

test('the Cache API, where there is no OPFS', async () => {
  await context.addInitScript(() => {
    StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('none', 'SecurityError'));
  });
  const opened = await open();
  expect(await load(opened)).toBe(expected);
  const before = server.sent;
  expect(await load(opened)).toBe(expected);
  expect(server.sent).toBe(before);
  expect(await list(opened)).toEqual([whole]);
});

/** Limits what the browser grants the site. */
async function grant(opened: Page, bytes: number): Promise<void> {
  const session = await context.newCDPSession(opened);
  await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: bytes });
}

/** Loads, and says what the caller was warned of. */
const loadWarned = (opened: Page) =>
  opened.evaluate(
    async ([source, endpoint]) => {
      const warnings: string[] = [];
      const onProgress = ({ warning }: { warning?: string }) => void (warning && warnings.push(warning));
      return { sum: await vitrine.drain(source!, { endpoint, onProgress }), warnings };
    },
    [id, server.url],
  );

test('less room than the model needs: nothing is begun; it is streamed, and the caller is told', async () => {
  // Chromium's estimate is the same for all sites, whatever it grants.
  await context.addInitScript(() => {
    StorageManager.prototype.estimate = async () => ({ quota: 20_000_000, usage: 1_000_000 });
  });
  const opened = await open();
  const before = server.sent;
  const { sum, warnings } = await loadWarned(opened);
  expect(sum).toBe(expected);
  expect(warnings).toEqual([
    expect.stringMatching(
      /^The browser grants 19000000 bytes of storage, and 33\d+ are needed, so model.safetensors is not/,
    ),
  ]);
  expect(server.sent - before).toBeLessThan(1.1 * size);
  expect(await list(opened)).toMatchObject([{ complete: false }]);
});

test('room that runs out on the way: what was kept makes room, the rest is streamed, and the caller is told', async () => {
  const opened = await open();
  const before = server.sent;
  server.sendUntil(before + size / 4);
  const loading = loadWarned(opened);
  await expect.poll(() => server.sent - before, { interval: 5 }).toBeGreaterThanOrEqual(size / 4);
  await grant(opened, 1e6);
  server.sendUntil(Number.POSITIVE_INFINITY);
  const { sum, warnings } = await loading;
  expect(sum).toBe(expected);
  expect(warnings).toEqual([expect.stringMatching(/^The cache took no more \(.*\), so model.safetensors is not kept/)]);
  expect((await list(opened)).map(({ bytes }) => bytes)[0]).toBeLessThan(1e6);
  await grant(opened, 1e9);
  expect(await load(opened)).toBe(expected);
  expect(await list(opened)).toEqual([whole]);
});
