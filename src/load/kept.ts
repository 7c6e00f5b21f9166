import { part } from '../plan/part.ts';
import type { CacheStore } from './cache-store.ts';
import type { CachedModel } from './cached-models.ts';

const cachePart = () => part('What lists the cache', () => import('./cached-models.ts'));

/** Models in the cache: the platform's own, or the one that was given to `load`. */
export const models = {
  /** @throws VitrineError `bad-option` for a store that cannot list its keys */
  list: async (cache?: CacheStore): Promise<CachedModel[]> => (await cachePart()).models.list(cache),

  /** Deletes a model, whole or not. Whether there was one. */
  delete: async (name: string, cache?: CacheStore): Promise<boolean> => (await cachePart()).models.delete(name, cache),
};
