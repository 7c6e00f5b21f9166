import { badOption } from '../plan/error.ts';
import { folderOf, isWhole, pieceOf, piecesOf, readEntry, savedVersion } from './cache.ts';
import { type CacheStore, platformStore } from './cache-store.ts';
import { timely } from './in-time.ts';
import type { PieceStore } from './store.ts';

/** A model in the cache. */
export interface CachedModel {
  /** A hub id (`@` a revision other than main), or a URL. */
  name: string;
  /** Bytes in the cache. */
  bytes: number;
  /** Whether every file that was begun is whole, so that it loads without a network. */
  complete: boolean;
  /** An adapter that was saved under this name. */
  isAdapter?: true;
}

export const storeOf = (cache: CacheStore | undefined): Promise<PieceStore | undefined> =>
  cache ? Promise.resolve(timely(() => cache)) : platformStore();

/** Models in the cache: the platform's own, or the one that was given to `load`. */
export const models = {
  /** @throws VitrineError `bad-option` for a store that cannot list its keys */
  async list(cache?: CacheStore): Promise<CachedModel[]> {
    const store = await storeOf(cache);
    if (!store) return [];
    if (!store.keys) throw badOption('The cache cannot list its models: it has no keys().');
    const keys = await store.keys('');
    const found = new Map<string, CachedModel>();
    for (const key of keys.filter((name) => name.endsWith(',entry'))) {
      const entry = await readEntry(store, key);
      if (!entry) continue;
      const { model: name, size = 0, version } = entry;
      const isAdapter = version === savedVersion && ({ isAdapter: true } as const);
      const model = found.get(name) ?? { name, bytes: 0, complete: true, ...isAdapter };
      const pieces = isWhole(entry) ? Number.POSITIVE_INFINITY : (await piecesOf(store, entry).present()).size;
      model.bytes += Math.min(size, pieces * pieceOf(entry));
      model.complete &&= isWhole(entry) || version === undefined;
      found.set(name, model);
    }
    return [...found.values()].filter((model) => model.bytes > 0);
  },

  /** Deletes a model, whole or not. Whether there was one. */
  async delete(name: string, cache?: CacheStore): Promise<boolean> {
    const store = await storeOf(cache);
    if (!store) return false;
    if (!store.keys || !store.delete) {
      throw badOption('The cache cannot delete models: it has no keys() or no delete().');
    }
    const folder = folderOf(name);
    if ((await store.keys(folder)).length === 0) return false;
    await store.delete(folder).catch((cause: Error) => {
      if (cause.name !== 'NoModificationAllowedError') throw cause;
      const message = `${name} is being loaded, by this page or another.`;
      throw badOption(message, 'Abort that load first.', cause);
    });
    return true;
  },
};
