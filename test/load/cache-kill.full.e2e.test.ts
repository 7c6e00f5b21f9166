import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromiumFlags, findHeadless } from '../../scripts/browser.mjs';
import { pieceInPlace as pieceBytes } from '../../src/load/opfs-store.ts';
import { drainSite, id, type Vitrine } from './drain-site.ts';
import { piecesAsked } from './pieces-asked.ts';

declare const vitrine: Vitrine;

let site: Awaited<ReturnType<typeof drainSite>>;
let profile: string;
let browser: ChildProcess;

beforeAll(async () => {
  site = await drainSite();
  profile = await mkdtemp(join(tmpdir(), 'profile-'));
});
afterAll(async () => {
  await kill();
  await site.server.close();
  await rm(profile, { recursive: true, force: true });
});

/** The page in a browser process of its own, with the profile that the one before left. */
async function launch(): Promise<Page> {
  const flags = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'];
  const started = spawn((await findHeadless())!, [...chromiumFlags, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true, // a process group, so that all of it can be killed
  });
  browser = started;
  const address = await new Promise<string>((resolve, reject) => {
    let said = '';
    started.stderr.on('data', (bytes) => {
      said += bytes;
      const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
      if (found) resolve(found);
    });
    started.once('exit', () => reject(new Error(`Chromium ended: ${said}`)));
  });
  const connected = await chromium.connectOverCDP(address);
  const page = await connected.contexts()[0]!.newPage();
  await page.goto(site.server.url);
  await page.waitForFunction(() => 'vitrine' in globalThis);
  return page;
}

async function kill(): Promise<void> {
  if (browser.exitCode !== null || browser.signalCode !== null) return;
  const ended = new Promise((resolve) => browser.once('exit', resolve));
  process.kill(-browser.pid!, 'SIGKILL');
  await ended;
}

/** Indices of the pieces of the weights that are whole in the cache: a page's files, and what workers have recorded in theirs. */
const keptPieces = (page: Page) =>
  page.evaluate(async (whole) => {
    const slot = 20 + whole;
    /** Lengths by the records; a file that is written while it is read is looked at again. */
    const lengths = async (handle: FileSystemFileHandle): Promise<number[]> => {
      const file = await handle.getFile();
      const slots = Array.from({ length: Math.ceil(file.size / slot) }, (_, i) => file.slice(i * slot, i * slot + 4));
      const parts = await Promise.all(slots.map((part) => part.arrayBuffer())).catch(() => undefined);
      return parts?.map((part) => (part.byteLength === 4 ? new DataView(part).getUint32(0) : 0)) ?? lengths(handle);
    };
    const indices: number[] = [];
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('vitrine', { create: true });
    for await (const folder of root.values() as AsyncIterable<FileSystemDirectoryHandle>) {
      for await (const [name, handle] of folder.entries() as AsyncIterable<[string, FileSystemFileHandle]>) {
        const [, what] = /^model\.safetensors,\w+,(pieces|\d+)$/.exec(name) ?? [];
        if (what === 'pieces') for (const [i, length] of (await lengths(handle)).entries()) length && indices.push(i);
        else if (what && (await handle.getFile()).size === whole) indices.push(Number(what));
      }
    }
    return indices;
  }, pieceBytes);

const load = (page: Page, options = {}) =>
  page.evaluate(([source, more]) => vitrine.drain(source, more), [
    id,
    { endpoint: site.server.url, ...options },
  ] as const);

/** The same in a worker, which writes its cache in place. */
const loadInWorker = (page: Page) =>
  page.evaluate(
    ([source, endpoint]) =>
      new Promise<unknown>((resolve) => {
        const worker = new Worker('/drain.js', { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage({ source, options: { endpoint } });
      }),
    [id, site.server.url],
  );

test('a browser killed at twenty points of a download: no byte that was kept is asked for again, and all are right', async () => {
  const { server, size } = site;
  let page = await launch();
  const expected = await load(page, { cache: false });
  const begun = server.sent;
  let kept = 0;
  let lost = 0;
  for (let kills = 0, seed = 1; kills < 20; kills++) {
    seed = (seed * 48_271) % 2_147_483_647; // of Park and Miller
    if (size - kept * pieceBytes < size / 4) {
      const remove = () => vitrine.models.list().then(([model]) => vitrine.models.delete(model!.name));
      expect(await page.evaluate(remove)).toBe(true); // there would be nothing left to be killed at
      kept = 0;
    }
    const [from, sent] = [server.requests.length, server.sent];
    const pieces = new Set(await keptPieces(page));
    expect(pieces.size).toBeGreaterThanOrEqual(kept);
    const until = sent + (seed / 2_147_483_647) * (size / 5);
    server.sendUntil(until);
    const loading = (kills % 2 ? load(page) : loadInWorker(page)).catch(() => 'killed');
    await expect.poll(() => server.sent, { interval: 1 }).toBeGreaterThanOrEqual(until);
    // At once, in the middle of whatever it does; or when it has kept what it was sent, but for two pieces of each request.
    const whole = kills % 4 < 2 ? Math.max(0, Math.floor((until - sent) / pieceBytes) - 8) : 0;
    await expect.poll(async () => (await keptPieces(page)).length).toBeGreaterThanOrEqual(pieces.size + whole);
    await kill();
    expect(await loading).toBe('killed');
    server.sendUntil(Number.POSITIVE_INFINITY);
    expect(piecesAsked(server.requests.slice(from), pieceBytes).filter((piece) => pieces.has(piece))).toEqual([]);
    page = await launch();
    const now = (await keptPieces(page)).length;
    lost += server.sent - sent - (now - pieces.size) * pieceBytes;
    kept = now;
  }
  expect(kept).toBeGreaterThan(0);
  expect(await page.evaluate(() => vitrine.models.list())).toMatchObject([{ complete: false }]);
  const [from, pieces] = [server.requests.length, new Set(await keptPieces(page))];
  expect(await load(page)).toBe(expected);
  const asked = piecesAsked(server.requests.slice(from), pieceBytes);
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.filter((piece) => pieces.has(piece))).toEqual([]);
  console.log(`${size} bytes in nine loads: ${server.sent - begun} served, ${lost} of them lost at the kills`);
  expect(await page.evaluate(() => vitrine.models.list())).toMatchObject([{ complete: true }]);
  await site.server.close();
  expect(await load(page)).toBe(expected); // without a network, so from the cache, each piece held against its digest
});
