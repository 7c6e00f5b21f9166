import { cacheFolder, isNode } from '../plan/host.ts';
import { folderStore, orAbsent } from './folder-store.ts';
import { inTime, timely } from './in-time.ts';
import type { CacheStore } from './store.ts';

export type { CacheStore };

const folderName = 'vitrine';

/** The platform's own: OPFS, or the Cache API, or in Node a folder; undefined where a browser allows none, or none answers. */
export async function platformStore(patience?: number): Promise<CacheStore | undefined> {
  if (isNode()) return timely(() => folderStore(cacheFolder()), patience);
  try {
    const open = async () => (await navigator.storage.getDirectory()).getDirectoryHandle(folderName, { create: true });
    const root = await inTime(open(), patience);
    return timely((moved) => opfsStore(root, moved), patience);
  } catch {
    // Without a secure context there is no such member, and in some private windows it refuses or never answers.
  }
  try {
    const cache = await inTime(caches.open(folderName), patience);
    return timely(() => cacheApiStore(cache), patience);
  } catch {
    return undefined;
  }
}

/** The origin private file system: a file for each entry. */
function opfsStore(root: FileSystemDirectoryHandle, moved: () => void): CacheStore {
  const inPlace = 'createSyncAccessHandle' in FileSystemFileHandle.prototype; // in workers only
  const folders = new Map<string, FileSystemDirectoryHandle>(); // asking for one takes as long as writing half a megabyte
  const handleOf = async (key: string, create: boolean) => {
    const [folder, name] = key.split('/') as [string, string];
    const known = folders.get(folder);
    const found = known && (await orAbsent(() => known.getFileHandle(name, { create })));
    if (found || (known && !create)) return found;
    const opened = await root.getDirectoryHandle(folder, { create }); // deleted meanwhile, or not asked for yet
    folders.set(folder, opened);
    return opened.getFileHandle(name, { create });
  };
  const store: Required<CacheStore> = {
    get: (key) => orAbsent(async () => (await (await handleOf(key, false))?.getFile())?.arrayBuffer()),
    async put(key, value) {
      const handle = (await handleOf(key, true))!;
      if (inPlace) return putInWorker(handle, value);
      const file = await handle.createWritable(); // takes effect when it is closed, as a whole
      try {
        await file.write(value);
        await file.close();
      } catch (error) {
        await file.abort().catch(() => {});
        throw error;
      }
    },
    async keys(prefix) {
      const [wanted] = prefix.split('/');
      const keys: string[] = [];
      for await (const folder of root.keys()) {
        if (wanted && folder !== wanted) continue;
        for await (const name of (await root.getDirectoryHandle(folder)).keys()) {
          keys.push(`${folder}/${name}`);
          moved();
        }
      }
      return keys.filter((key) => key.startsWith(prefix));
    },
    async delete(prefix) {
      const [folder, name] = prefix.split('/') as [string, string];
      if (name === '') return orAbsent(() => root.removeEntry(folder, { recursive: true }));
      for (const key of await store.keys(prefix)) {
        await orAbsent(async () => (await root.getDirectoryHandle(folder)).removeEntry(key.slice(folder.length + 1)));
        moved();
      }
    },
  };
  return store;
}

/** Workers write in place, some browsers nowhere else, and faster: an entry cut short is known by its length. */
async function putInWorker(handle: FileSystemFileHandle, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const file = await (handle as unknown as { createSyncAccessHandle(): Promise<SyncFile> }).createSyncAccessHandle();
  try {
    if (file.getSize() > value.length) file.truncate(value.length);
    const written = file.write(value, { at: 0 }); // no flush: what a crash of the system loses, its digest tells
    // Where there is no more room, Chromium answers -8 as a number without a sign.
    if (written !== value.length) throw new Error(`only ${file.getSize()} of ${value.length} bytes could be written`);
  } finally {
    file.close();
  }
}

/** TypeScript knows it only in workers. */
interface SyncFile {
  getSize(): number;
  truncate(size: number): void;
  write(value: Uint8Array, options: { at: number }): number;
  close(): void;
}

function cacheApiStore(cache: Cache): CacheStore {
  const base = 'https://vitrine.invalid/'; // entries of this cache are requests
  const urlOf = (key: string) => base + key.split('/').map(encodeURIComponent).join('/');
  const keys = async (prefix: string) => {
    const all = (await cache.keys()).map(({ url }) => url.slice(base.length).split('/').map(decodeURIComponent));
    return all.map((parts) => parts.join('/')).filter((key) => key.startsWith(prefix));
  };
  return {
    get: async (key) => (await cache.match(urlOf(key)))?.arrayBuffer(),
    put: (key, value) => cache.put(urlOf(key), new Response(value)),
    keys,
    async delete(prefix) {
      for (const key of await keys(prefix)) await cache.delete(urlOf(key));
    },
  };
}
