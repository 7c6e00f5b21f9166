import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import { serve as serveModel } from '../load/server.ts';
import { encodeSafetensors, tinyCheckpoint } from '../load/tiny-checkpoint.ts';
import { openSite, type Site } from '../site.ts';

const built = process.env.VITRINE_SITE ?? fileURLToPath(new URL('../../site', import.meta.url));
const prompt = 'prompt=Once%20upon%20a%20time&temperature=0&max-new-tokens=8';

let site: Site;
let temporary: string;
/** Builds that keep only what a visit asks for, and the second another text; of the last a file is not its own. */
let builds: { first: string; next: string; broken: string };
/** What the host serves: a link to a build. */
let served: string;
let host: Host;
let context: BrowserContext;
let complaints: string[];
/** What the browser complains of by right. */
let expected: RegExp | undefined;

/** A host whose page can be deployed anew, that can be shut down, and that counts what it sends. */
interface Host {
  url: string;
  sent: number;
  close(): Promise<void>;
}

/** `folder`: bytes as they go over the wire. */
async function openHost(folder: string): Promise<Host> {
  const files = await serve(folder);
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

/** Paths of files below a folder. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll('\\', '/'));
}

/** Paths below the page that a visit asks for, its dialog opened. */
async function askedFor(): Promise<Set<string>> {
  const paths = new Set(['index.html']);
  const page = await site.newPage();
  page.on('request', (request) => paths.add(new URL(request.url()).pathname.slice(1)));
  await page.goto(`${site.url}#${prompt}`);
  await ready(page);
  await complete(page);
  await dialogTitle(page);
  await page.context().close();
  return paths;
}

/**
 * The page as it was built, of whose files its service worker keeps those that a visit asks for: to keep all five hundred, as the first test
 * does, takes seconds of computing. `change`: of names and of texts.
 */
async function makeBuild(name: string, asked: Set<string>, change = (text: string) => text): Promise<string> {
  const folder = join(temporary, name);
  await mkdir(folder);
  await symlink(join(built, 'models'), join(folder, 'models'));
  const [, list, script] = /^self\.BUILD=(.*);\n([\s\S]*)$/.exec(
    await readFile(join(built, 'service-worker.js'), 'utf8'),
  )!;
  const paths = (await filesIn(built)).filter((path) => !/^(models\/|service-worker)|\.map$/.test(path));
  for (const path of paths) {
    const to = join(folder, change(path));
    const isText = /\.(js|css|html)$/.test(path);
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, isText ? change(await readFile(join(built, path), 'utf8')) : await readFile(join(built, path)));
  }
  const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('base64');
  const files: Record<string, string> = {};
  for (const path of Object.keys((JSON.parse(list!) as { files: object }).files).filter((path) => asked.has(path))) {
    files[change(path)] = `sha256-${sha256(await readFile(join(folder, change(path))))}`;
  }
  const build = { version: sha256(JSON.stringify(files)), files };
  await writeFile(join(folder, 'service-worker.js'), `self.BUILD=${JSON.stringify(build)};\n${script}`);
  return folder;
}

beforeAll(async () => {
  site = await openSite();
  temporary = await mkdtemp(join(tmpdir(), 'offline-'));
  served = join(temporary, 'served');
  const asked = await askedFor();
  // Another build has other names for its files.
  const renamed = (name: string, stem: string, hash: string, type: string) =>
    known.has(name) ? `${stem}${[...hash].reverse().join('')}${type}` : name;
  const known = new Set(await readdir(join(built, 'assets')));
  const change = (text: string) =>
    text
      .replaceAll('Choose a model', 'Choose another model')
      .replace(/(?<=["'`/])([\w-]+-)([\w-]{8})(\.(?:js|css|woff2))/g, renamed);
  builds = {
    first: await makeBuild('first', asked),
    next: await makeBuild('next', asked, change),
    broken: join(temporary, 'broken'),
  };
  await mkdir(builds.broken);
  for (const name of await readdir(builds.next)) await symlink(join(builds.next, name), join(builds.broken, name));
  await rm(join(builds.broken, 'index.html'));
  await writeFile(join(builds.broken, 'index.html'), '<!doctype html>'); // of yet another build, or a hotel's
});
afterAll(async () => {
  await site.close();
  await rm(temporary, { recursive: true });
});

beforeEach(async () => {
  await deploy(builds.first);
  host = await openHost(served);
  context = await site.newContext();
  complaints = [];
  expected = undefined;
});
afterEach(async () => {
  await context.close();
  await host.close();
  expect(complaints).toEqual([]);
});

/** Puts another build in the place of the one that is served, at once. */
async function deploy(build: string): Promise<void> {
  await symlink(build, `${served}-next`);
  await rename(`${served}-next`, served);
}

async function open(hash = prompt, url = host.url): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    if (/Content Security|Refused|integrity/i.test(text) && !expected?.test(text)) complaints.push(text);
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
  await deploy(builds.next);
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
  const kept = () => page.evaluate(async () => (await caches.keys()).length);
  await expect.poll(kept).toBe(1);
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

test('the first visit downloads the model once; after it everything works without a network, cached models too', async () => {
  await deploy(built);
  const { config, tensors } = tinyCheckpoint({ vocabSize: 50257 });
  const contents = { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) };
  const models = await serveModel(contents);
  const page = await open();
  const text = await complete(page);
  await kept(page);
  const size = await page.evaluate(
    async () => (await (await fetch('models/tiny-tales/model.safetensors')).blob()).size,
  );
  expect(size).toBeGreaterThan(5e6);
  expect(host.sent).toBeGreaterThan(size);
  expect(host.sent).toBeLessThan(1.3 * size);
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
  const files = (await readdir(join(built, 'assets'))).map((name) => `assets/${name}`);
  const sizes = await again.evaluate(
    (paths) => Promise.all(paths.map(async (path) => (await (await fetch(path)).blob()).size)),
    files,
  );
  expect(sizes).toEqual(await Promise.all(files.map(async (path) => (await stat(join(built, path))).size)));
});

test('a new build is taken as a whole or not at all, and when no other tab shows the old one', async () => {
  const first = await open();
  await kept(first);
  expected = /integrity/; // the browser names the file that does not match
  await deploy(builds.broken);
  const failed = first.evaluate(async () => {
    const registration = (await navigator.serviceWorker.getRegistration())!;
    const found = new Promise<ServiceWorker>((resolve) => {
      const look = () => registration.installing && resolve(registration.installing);
      registration.onupdatefound = look;
      look(); // the browser may have looked by itself
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
  await first.reload();
  await ready(first);
  expect(await dialogTitle(first)).toBe('Choose a model');

  const second = await open();
  await deploy(builds.next);
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

test('a new build that does not take over keeps no page from opening, which finds what it has not shown yet when it does', async () => {
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

test('a host that cannot send headers: from the second visit on the page is isolated, and may use threads', async () => {
  const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css' };
  const contents: Record<string, Uint8Array> = {};
  for (const path of await filesIn(built)) contents[path] = await readFile(join(built, path));
  contents['service-worker.js'] = await readFile(join(builds.first, 'service-worker.js'));
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
