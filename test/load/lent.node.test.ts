import { afterEach, expect, test, vi } from 'vitest';
import { CachedFiles } from '../../src/load/cache.ts';
import { HttpFiles } from '../../src/load/http.ts';
import { HubFiles } from '../../src/load/hub.ts';
import { Lent, PieceMemory } from '../../src/load/lent.ts';
import type { PieceStore } from '../../src/load/store.ts';
import { hub, serve, type TestServer } from './server.ts';

/** Pieces on their way into a cache use memory again, and nobody reads what another has written over. */

let server: TestServer;
afterEach(async () => {
  vi.restoreAllMocks();
  await server.close();
});

const piece = 1 << 16;
const file = 'model.safetensors';
/** Sixty-four pieces and a short one, no two of them alike. */
const weights = new Uint8Array(64 * piece + 1234).map((_, i) => (i * 7 + (i >> 8) * 3 + (i >> 16)) % 251);

/** A store in memory. One that copies takes its time before it does; another keeps the very arrays that it is given. */
function storeOf(copies: boolean): PieceStore {
  const values = new Map<string, Uint8Array<ArrayBuffer>>();
  return {
    copies,
    pieceBytes: piece,
    get: async (key) => values.get(key),
    async put(key, value) {
      await new Promise(setImmediate);
      values.set(key, copies ? value.slice() : value);
    },
    keys: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  };
}

async function bytesOf(files: CachedFiles, pause = () => Promise.resolve()): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const bytes of (await files.open(file, 0, weights.length))!.bytes) {
    await pause(); // the chunk is ours until the next is asked for
    parts.push(bytes.slice());
  }
  return Buffer.concat(parts);
}

test('memory goes back when the last that holds it lets go, and only what is a whole piece', () => {
  const memory = new PieceMemory(piece);
  const bytes = memory.take();
  const lent = new Lent(bytes, memory);
  lent.hold().release();
  expect(memory.take().buffer).not.toBe(bytes.buffer);
  lent.release();
  expect(memory.take().buffer).toBe(bytes.buffer);
  const short = memory.take(10);
  new Lent(short, memory).release();
  expect(memory.take(10).buffer).not.toBe(short.buffer);
  server = { close: async () => {} } as TestServer;
});

test.each([
  ['a store that copies', true, false],
  ['a store that copies, of a hub, whose file is hashed too,', true, true],
  ['a store that keeps what it is given', false, false],
])('%s has every byte, and so has who reads while they come', async (_, copies, isHub) => {
  const given = vi.spyOn(PieceMemory.prototype, 'give');
  const repository = hub('a/model', { [file]: weights });
  server = await (isHub ? serve(repository.contents, repository.answer) : serve({ [file]: weights }));
  const store = storeOf(copies);
  const from = isHub
    ? () => new HubFiles('a/model', server.url.slice(0, -1), 'main', {})
    : () => new HttpFiles(server.url, (name) => server.url + name);
  const files = new CachedFiles(from(), 'a/model', store);
  const kept = files.keep(file);
  const slowly = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
  const both = await Promise.all([bytesOf(files, slowly), bytesOf(files)]);
  for (const bytes of both) expect(bytes.equals(weights)).toBe(true);
  expect(await kept).toBeUndefined();
  if (copies) expect(given.mock.calls.length).toBeGreaterThan(32);
  else expect(given).not.toHaveBeenCalled();
  const later = new CachedFiles(from(), 'a/model', store);
  await later.keep(file);
  const asked = server.requests.length;
  expect((await bytesOf(later)).equals(weights)).toBe(true);
  expect(server.requests.length).toBe(asked);
});
