import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { CachedFiles } from '../../src/load/cache.ts';
import { models } from '../../src/load/cached-models.ts';
import { HttpFiles } from '../../src/load/http.ts';
import { opfsStore, pieceInPlace as pieceBytes } from '../../src/load/opfs-store.ts';
import { type Disk, type FakeOpfs, fakeOpfs } from './fake-opfs.ts';
import { serve, type TestServer } from './server.ts';

/** What a worker keeps in the origin private file system: one file for all pieces of a file, read and resumed at any moment of it. */

const file = 'model.safetensors';
/** Three pieces, the last of them short. */
const weights = new Uint8Array(2.25 * pieceBytes).map((_, i) => (i * 7 + (i >> 8)) % 251);
/** A record and a piece. */
const slot = 20 + pieceBytes;
const isPieces = (path: string) => path.endsWith(',pieces');
const copy = (disk: Disk): Disk => new Map([...disk].map(([path, bytes]) => [path, bytes.slice()]));

let server: TestServer;
beforeAll(async () => {
  server = await serve({ [file]: weights });
});
afterEach(() => vi.unstubAllGlobals());
afterAll(() => server.close());

const storeOf = ({ root }: FakeOpfs) => opfsStore(root, () => {});
const offline: typeof fetch = () => Promise.reject(new TypeError('offline'));
const cachedIn = (opfs: FakeOpfs, fetch?: typeof globalThis.fetch) =>
  new CachedFiles(new HttpFiles(server.url, (name) => server.url + name, { fetch }), 'a/model', storeOf(opfs));

/** Keeps the file, reads it, and holds it against the server's; what was asked of the server, the byte of its version aside. */
async function keep(opfs: FakeOpfs, fetch?: typeof globalThis.fetch): Promise<number[]> {
  const from = server.requests.length;
  const files = cachedIn(opfs, fetch);
  expect(await files.keep(file)).toBeUndefined();
  expect(Buffer.concat(await bytesOf(files)).equals(weights)).toBe(true);
  expect(opfs.held).toEqual(new Set());
  return piecesAsked(from);
}

async function bytesOf(files: CachedFiles): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for await (const bytes of (await files.open(file, 0, weights.length))!.bytes) parts.push(bytes);
  return parts;
}

const piecesAsked = (from: number) =>
  server.requests
    .slice(from)
    .flatMap((request) => /bytes=(\d+)-(\d+)$/.exec(request) ?? [])
    .filter((part) => /^\d+$/.test(part))
    .map(Number)
    .flatMap((first, i, all) => {
      const last = all[i + 1];
      if (i % 2 || last === undefined || last === first) return [];
      const count = Math.ceil((last + 1) / pieceBytes) - Math.floor(first / pieceBytes);
      return Array.from({ length: count }, (_, n) => Math.floor(first / pieceBytes) + n);
    })
    .sort();

/** Whether a piece is there, and its record before it: its length, and the first half of its sha256. */
const isRecorded = (disk: Disk, index: number) => {
  const bytes = [...disk].find(([path]) => isPieces(path))?.[1].subarray(index * slot, (index + 1) * slot);
  if (!bytes || bytes.length <= 20) return false;
  const piece = bytes.subarray(20, 20 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
  return createHash('sha256').update(piece).digest().subarray(0, 16).equals(bytes.subarray(4, 20));
};

/** A disk that has the whole file. */
async function whole(kind?: 'worker' | 'page'): Promise<Disk> {
  const opfs = fakeOpfs(new Map(), kind);
  await keep(opfs);
  return opfs.disk;
}

test('one file for all pieces; read without a request, listed and deleted', async () => {
  const opfs = fakeOpfs();
  expect(await keep(opfs)).toEqual([0, 1, 2]);
  expect([...opfs.disk.keys()].map((path) => path.replace(/^.*,/, ''))).toEqual(['entry', 'pieces']);
  expect(await keep(opfs, offline)).toEqual([]);
  expect(await models.list(storeOf(opfs))).toEqual([{ name: 'a/model', bytes: weights.length, complete: true }]);
  expect(await models.delete('a/model', storeOf(opfs))).toBe(true);
  expect(opfs.disk.size).toBe(0);
});

test('killed at every write, and in the midst of it: only what was not recorded is asked for again', async () => {
  const opfs = fakeOpfs();
  const left: Disk[] = [];
  opfs.onWrite = (_, write) => {
    write(10);
    left.push(copy(opfs.disk));
    const written = write();
    left.push(copy(opfs.disk));
    return written;
  };
  await keep(opfs);
  expect(left.length).toBeGreaterThan(12);
  const resumed = new Set<string>();
  for (const disk of left) {
    const missing = [0, 1, 2].filter((index) => !isRecorded(disk, index));
    const again = fakeOpfs(disk);
    const wasListed = (await models.list(storeOf(again)))[0];
    if (wasListed) expect(wasListed).toMatchObject({ complete: missing.length === 0 && wasListed.complete });
    expect(await keep(again)).toEqual(missing);
    resumed.add(missing.join());
  }
  expect(resumed.size).toBeGreaterThan(3);
});

test('recorded, but lost by a crash of the system: asked for again, alone', async () => {
  const opfs = fakeOpfs();
  const left: Disk[] = [];
  opfs.onWrite = (path, write) => {
    const written = write();
    if (isPieces(path) && [0, 1, 2].every((index) => isRecorded(opfs.disk, index))) left.push(copy(opfs.disk));
    return written;
  };
  await keep(opfs);
  const [path, bytes] = [...left[0]!].find(([name]) => isPieces(name))!;
  bytes.fill(0, slot + 20 + 1000, slot + 20 + 5000);
  expect(await keep(fakeOpfs(new Map(left[0])))).toEqual([1]);
  left[0]!.set(path, bytes.slice(0, 2 * slot + 100)); // the last is cut short
  expect(await keep(fakeOpfs(left[0]))).toEqual([1, 2]);
});

test('a whole file of which a piece is damaged: it alone is fetched again, and is right after', async () => {
  const disk = await whole();
  const [, bytes] = [...disk].find(([path]) => isPieces(path))!;
  bytes[slot + 5000]! ^= 1;
  expect(await keep(fakeOpfs(disk))).toEqual([1]);
  expect(await keep(fakeOpfs(disk), offline)).toEqual([]);
});

test('no more room: an error or Chromium’s -8; nothing is left, and the caller is told', async () => {
  const thrown = () => {
    throw new DOMException('no room', 'QuotaExceededError');
  };
  for (const full of [() => 2 ** 32 - 8, thrown]) {
    const opfs = fakeOpfs();
    opfs.onWrite = (path, write) => (isPieces(path) && opfs.disk.get(path)!.length > slot ? full() : write());
    const files = cachedIn(opfs);
    expect(await files.keep(file)).toMatch(/^The cache took no more \(.+\), so model.safetensors is not kept\.$/);
    expect(Buffer.concat(await bytesOf(files)).equals(weights)).toBe(true);
    expect([...opfs.disk.keys()].filter(isPieces)).toEqual([]);
    expect(opfs.held).toEqual(new Set());
  }
});

describe('a file for each piece, as pages keep them and earlier builds did', () => {
  test('is read by workers, and completed by them', async () => {
    const disk = await whole('page');
    expect([...disk.keys()].filter(isPieces)).toEqual([]);
    expect(await keep(fakeOpfs(copy(disk)), offline)).toEqual([]);
    const piece = [...disk.keys()].find((path) => path.endsWith(',0'))!; // of two megabytes: all;
    const lost = copy(disk);
    lost.delete(piece);
    expect(await keep(fakeOpfs(lost))).toEqual([0, 1, 2]);
    expect(await keep(fakeOpfs(lost), offline)).toEqual([]);
    const damaged = copy(disk);
    damaged.get(piece)![7]! ^= 1;
    expect(await keep(fakeOpfs(damaged))).toEqual([0, 1, 2]);
    expect(await keep(fakeOpfs(damaged), offline)).toEqual([]);
    expect(await models.list(storeOf(fakeOpfs(damaged)))).toMatchObject([{ bytes: weights.length, complete: true }]);
  });

  test('what workers keep is read by pages, and mended by them', async () => {
    const disk = await whole();
    expect(await keep(fakeOpfs(copy(disk), 'page'), offline)).toEqual([]);
    const [, bytes] = [...disk].find(([path]) => isPieces(path))!;
    bytes[slot + 5000]! ^= 1;
    expect(await keep(fakeOpfs(disk, 'page'))).toEqual([1]);
    expect(await keep(fakeOpfs(disk, 'page'), offline)).toEqual([]);
    expect(await keep(fakeOpfs(disk), offline)).toEqual([]);
  });
});

test('another has not let the file go yet: it is asked for again', async () => {
  const opfs = fakeOpfs();
  const store = storeOf(opfs);
  const prefix = `${'0'.repeat(32)}/x,`;
  const bytes = weights.slice(0, 100);
  const [ours, theirs] = [store.pieces!(prefix, pieceBytes), store.pieces!(prefix, pieceBytes)];
  await theirs.put(0, bytes);
  const putting = ours.put(1, bytes);
  await vi.waitFor(() => expect(opfs.held.size).toBe(1));
  theirs.close();
  await putting;
  ours.close();
  expect([...(await theirs.present()).keys()]).toEqual([0, 1]);
});

test('a file that another holds is read all the same', async () => {
  const opfs = fakeOpfs(await whole());
  const path = [...opfs.disk.keys()].find(isPieces)!;
  opfs.held.add(path);
  const files = cachedIn(opfs, offline);
  expect(Buffer.concat(await bytesOf(files)).equals(weights)).toBe(true);
  expect(await models.delete('a/model', storeOf(opfs)).catch((error: Error) => error.message)).toMatch(
    /is being loaded/,
  );
  opfs.held.delete(path);
  expect(await models.delete('a/model', storeOf(opfs))).toBe(true);
});

test('a file that is written while it is read is looked at again', async () => {
  const opfs = fakeOpfs(await whole(), 'page');
  let looks = 0;
  opfs.onLook = (path, seen) => {
    if (!isPieces(path) || looks++ % 2 === 1) return seen;
    const changed = () => {
      throw new DOMException('changed since', 'NotReadableError');
    };
    return Object.assign(seen, { slice: changed });
  };
  expect(await keep(opfs, offline)).toEqual([]);
  expect(looks).toBeGreaterThan(1);
});

test('a handle is held while its file is opened: Chromium never answers one that was collected', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const opfs = fakeOpfs();
  const { prototype } = FileSystemFileHandle as unknown as {
    prototype: { createSyncAccessHandle(): Promise<unknown> };
  };
  const { createSyncAccessHandle } = prototype;
  const answer = async (asked: WeakRef<typeof prototype>) => {
    await setTimeout(1);
    collectGarbage();
    await setTimeout(1);
    const handle = asked.deref();
    if (!handle) throw new Error('the handle was collected');
    return createSyncAccessHandle.call(handle);
  };
  prototype.createSyncAccessHandle = function () {
    return answer(new WeakRef(this));
  };
  expect(await keep(opfs)).toEqual([0, 1, 2]);
});
