import { cacheFolder, isNode } from '../plan/host.ts';
import { folderStore } from './folder-store.ts';
import { inTime, timely } from './in-time.ts';
import { opfsStore } from './opfs-store.ts';
import type { CacheStore, PieceStore } from './store.ts';

export type { CacheStore };

const folderName = 'vitrine';

/** The platform's own: OPFS, or the Cache API, or in Node a folder; undefined where a browser allows none, or none answers. */
export async function platformStore(patience?: number): Promise<PieceStore | undefined> {
  if (isNode()) return timely(() => ({ ...folderStore(cacheFolder()), copies: true }), patience);
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

function cacheApiStore(cache: Cache): PieceStore {
  const base = 'https://vitrine.invalid/'; // entries of this cache are requests
  const urlOf = (key: string) => base + key.split('/').map(encodeURIComponent).join('/');
  const keys = async (prefix: string) => {
    const all = (await cache.keys()).map(({ url }) => url.slice(base.length).split('/').map(decodeURIComponent));
    return all.map((parts) => parts.join('/')).filter((key) => key.startsWith(prefix));
  };
  return {
    get: async (key) => (await cache.match(urlOf(key)))?.arrayBuffer(),
    copies: true,
    put: (key, value) => cache.put(urlOf(key), new Response(value)),
    keys,
    async delete(prefix) {
      for (const key of await keys(prefix)) await cache.delete(urlOf(key));
    },
  };
}
