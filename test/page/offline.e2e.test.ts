import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, Page } from 'playwright';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import { serve as serveModel } from '../load/server.ts';
import { encodeSafetensors, tinyCheckpoint } from '../load/tiny-checkpoint.ts';
import { openSite, type Site } from '../site.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const prompt = 'prompt=Once%20upon%20a%20time&temperature=0&max-new-tokens=8';

let site: Site;
let temporary: string;
let next: string;
let folder: string;
let host: Host;
let context: BrowserContext;
let complaints: string[];

/** A host whose page can be deployed anew, that can be shut down, and that counts what it sends. */
interface Host {
  url: string;
  sent: number;
  close(): Promise<void>;
}

/** `served`: bytes as they go over the wire. */
async function openHost(served: string): Promise<Host> {
  const files = await serve(served);
  const sockets = new Set<Socket>();
  const wire: Server = createServer((socket) => {
    const server = connect(Number(new URL(files.url).port), 'localhost');
    for (const end of [socket, server]) end.on('error', () => socket.destroy());
    sockets.add(socket);
    server.on('data', (bytes) => (host.sent += bytes.length));
    socket.pipe(server).pipe(socket);
  });
  await new Promise<void>((resolve) => wire.listen(0, 'localhost', resolve));
  const { port } = wire.address() as { port: number };
  return {
    url: `http://localhost:${port}/`,
    sent: 0,
    async close() {
      wire.close();
      for (const socket of sockets) socket.destroy();
      await files.close();
    },
  };
}

beforeAll(async () => {
  site = await openSite();
  temporary = await mkdtemp(join(tmpdir(), 'offline-'));
  next = join(temporary, 'next');
  const retitle = {
    name: 'retitle',
    transform: (code: string, id: string) =>
      id.endsWith('src/page/rooms/words/models.ts')
        ? code.replace('Choose a model', 'Choose another model')
        : undefined,
  };
  vi.stubEnv('NODE_ENV', 'production'); // as in `npm run build`; tests are no production
  await build({ root, logLevel: 'silent', plugins: [retitle], build: { outDir: next } });
  vi.unstubAllEnvs();
});
afterAll(async () => {
  await site.close();
  await rm(temporary, { recursive: true });
});

beforeEach(async () => {
  folder = await mkdtemp(join(temporary, 'site-'));
  await cp(join(root, 'site'), folder, { recursive: true });
  host = await openHost(folder);
  context = await site.newContext();
  complaints = [];
});
afterEach(async () => {
  await context.close();
  await host.close();
  expect(complaints).toEqual([]);
});

async function open(hash = prompt, url = host.url): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (/Content Security|Refused|integrity/i.test(message.text())) complaints.push(message.text());
  });
  await page.goto(`${url}#${hash}`);
  await ready(page);
  return page;
}

const ready = (page: Page) => page.locator('.device').waitFor();

/** The whole build is kept, and this page is served from it. */
const kept = (page: Page) => page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated');
/** A newer build lies ready. */
const waiting = (page: Page) =>
  expect
    .poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.waiting?.state))
    .toBe('installed');

/** A page whose build is kept, and beside it a newer one. */
async function openWithNewerBuild(): Promise<Page> {
  const page = await open();
  await kept(page);
  await deploy();
  await page.reload();
  await waiting(page);
  return page;
}

/** The newer build is shown when the page is opened again, and is the only one that is kept then. */
async function taken(page: Page): Promise<void> {
  const reopened = async () => {
    await page.reload().catch(() => {}); // the page reloads itself, which may cut this one short
    await ready(page);
    return dialogTitle(page);
  };
  await expect.poll(reopened).toBe('Choose another model');
  const builds = () => page.evaluate(async () => (await caches.keys()).length);
  await expect.poll(builds).toBe(1);
}

async function deploy(): Promise<void> {
  await rm(folder, { recursive: true });
  await cp(next, folder, { recursive: true });
}

async function complete(page: Page): Promise<string> {
  await page.getByRole('button', { name: /^Complete/ }).click();
  await page.getByText(/tokens\/s/).waitFor();
  await page.getByRole('button', { name: /^Complete/ }).waitFor();
  return page.locator('textarea').inputValue();
}

/** The title of the dialog, which is a chunk of its own; fetched when it is asked for. */
async function dialogTitle(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'Change model' }).click();
  const title = await page.locator('#dialog-title').textContent();
  await page.getByRole('button', { name: 'Close' }).click();
  return title!;
}

test('after one visit everything works without a network, cached models too', async () => {
  const { config, tensors } = tinyCheckpoint({ vocabSize: 50257 });
  const contents = { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) };
  const models = await serveModel(contents);
  const page = await open();
  const text = await complete(page);
  await kept(page);
  const name = new URL(models.url).host;
  await page.getByRole('button', { name: 'Change model' }).click();
  await page.locator('#hub-id').fill(models.url);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Download' }).click();
  await page.getByRole('heading', { name }).waitFor();
  await page.getByRole('button', { name: 'Start over' }).click();
  const downloaded = await complete(page);

  await context.setOffline(true);
  await Promise.all([host.close(), models.close()]);
  await page.close();
  const again = await open();
  expect(await complete(again)).toBe(text);
  expect(await dialogTitle(again)).toBe('Choose a model');
  await again.getByRole('button', { name: 'See inside the model' }).click();
  await again.getByRole('button', { name: 'Close the model' }).waitFor();
  await again.getByRole('button', { name: 'Start over' }).click();
  await again.getByRole('button', { name: 'Change model' }).click();
  await again.getByRole('button', { name: `Use ${name}` }).click();
  await again.getByRole('heading', { name }).waitFor();
  expect(await complete(again)).toBe(downloaded);
  const files = (await readdir(join(folder, 'assets'))).map((name) => `assets/${name}`);
  const sizes = await again.evaluate(
    (paths) => Promise.all(paths.map(async (path) => (await (await fetch(path)).blob()).size)),
    files,
  );
  expect(sizes).toEqual(await Promise.all(files.map(async (path) => (await stat(join(folder, path))).size)));
});

test('the first visit downloads the model once', async () => {
  const page = await open();
  await kept(page);
  const size = await page.evaluate(
    async () => (await (await fetch('models/tiny-tales/model.safetensors')).blob()).size,
  );
  expect(size).toBeGreaterThan(5e6);
  expect(host.sent).toBeGreaterThan(size);
  expect(host.sent).toBeLessThan(1.3 * size);
});

test('a new build is taken as a whole, when no other tab shows the old one', async () => {
  const first = await open();
  await kept(first);
  const second = await open();
  await deploy();
  await first.reload();
  await waiting(first);
  await first.reload();
  await ready(first);
  await first.getByText('A newer version of this page is ready.').waitFor();
  expect(await dialogTitle(first)).toBe('Choose a model'); // the second tab is still open
  expect(await dialogTitle(second)).toBe('Choose a model');
  await second.close();
  await taken(first);
  expect(first.url()).toContain('max-new-tokens=8');
  await host.close();
  await first.reload();
  await ready(first);
  expect(await dialogTitle(first)).toBe('Choose another model');
});

test('a new build that does not take over keeps no page from opening', async () => {
  const page = await openWithNewerBuild();
  await page.addInitScript(() => {
    ServiceWorker.prototype.postMessage = () => {};
  });
  await page.reload();
  await ready(page);
  expect(await dialogTitle(page)).toBe('Choose a model');
});

test('a page that opened before a new build took over still finds what it has not shown yet', async () => {
  const page = await openWithNewerBuild();
  await page.addInitScript(() => {
    const { postMessage } = ServiceWorker.prototype;
    ServiceWorker.prototype.postMessage = function (message: unknown) {
      const send = () => postMessage.call(this, message);
      if (message === 'take over') Object.assign(globalThis, { send });
      else send();
    };
  });
  const asked = async () => {
    await page.reload();
    await ready(page);
    return page.evaluate(() => 'send' in globalThis);
  };
  await expect.poll(asked).toBe(true);
  // The page is open; only now the new build hears that it may take over.
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        navigator.serviceWorker.addEventListener('controllerchange', resolve);
        (globalThis as unknown as { send(): void }).send();
      }),
  );
  await kept(page);
  expect(await dialogTitle(page)).toBe('Choose a model');
  await taken(page);
});

test('a build that is not whole is not taken', async () => {
  const page = await open();
  await kept(page);
  await deploy();
  await writeFile(join(folder, 'index.html'), '<!doctype html>'); // of yet another build, or a hotel's
  const failed = page.evaluate(async () => {
    const registration = (await navigator.serviceWorker.getRegistration())!;
    const found = new Promise<ServiceWorker>((resolve) => {
      registration.onupdatefound = () => resolve(registration.installing!);
    });
    await registration.update();
    const worker = await found;
    return new Promise<string>((resolve) => {
      const tell = () => worker.state !== 'installing' && resolve(worker.state);
      worker.onstatechange = tell;
      tell(); // it may have ended already
    });
  });
  expect(await failed).toBe('redundant');
  complaints = []; // the browser names the file that does not match
  await page.reload();
  await ready(page);
  expect(await dialogTitle(page)).toBe('Choose a model');
});

test('a host that cannot send headers: from the second visit on the page is isolated, and may use threads', async () => {
  const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css' };
  const paths = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const contents: Record<string, Uint8Array> = {};
  for (const { parentPath, name } of paths) {
    const path = join(parentPath, name);
    contents[relative(folder, path)] = await readFile(path);
  }
  contents[''] = contents['index.html']!;
  const plain = await serveModel(contents, ({ url = '' }, response) => {
    response.setHeader('Content-Type', types[url.split('.').at(-1)!] ?? (url === '/' ? 'text/html' : 'font/woff2'));
    return false;
  });
  const page = await open(prompt, plain.url);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  const text = await complete(page);
  await kept(page);
  await page.reload();
  await ready(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.getByRole('button', { name: 'Undo' }).click(); // the reload brought the text back, its completion too
  expect(await complete(page)).toBe(text);
  await plain.close();
});
