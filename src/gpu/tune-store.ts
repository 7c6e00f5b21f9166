import { cacheFolder, isNode } from '../plan/host.ts';
import { PATIENCE, within } from '../plan/patience.ts';

const { process } = globalThis; // by its bare name, bundlers put a package of theirs in its place

/** Where the choices of the tuner are kept, from one visit to the next. */
export interface TuneStore {
  get(key: string): string | undefined | Promise<string | undefined>;
  set(key: string, value: string): void | Promise<void>;
}

const prefix = 'vitrine-tuned ';
const memory = new Map<string, string>();

/**
 * A file in the user's folder of caches in Node, localStorage on a page, the Cache API in a worker, which has no
 * localStorage; memory where none of them may be used. It never throws: a choice that is lost is measured again.
 */
export const tuneStore: TuneStore = {
  async get(key) {
    return memory.get(key) ?? (await orNothing(() => place().get(prefix + key)));
  },
  async set(key, value) {
    memory.set(key, value);
    await orNothing(() => place().set(prefix + key, value));
  },
};

function place(): TuneStore {
  if (isNode()) return fileStore();
  // Merely touching localStorage throws where a page may keep nothing.
  if ('localStorage' in globalThis) {
    const { localStorage } = globalThis;
    return {
      get: (key) => localStorage.getItem(key) ?? undefined,
      set: (key, value) => localStorage.setItem(key, value),
    };
  }
  const url = (key: string) => `https://vitrine.invalid/${encodeURIComponent(key)}`;
  const cache = () => caches.open('vitrine-tuned');
  return {
    get: async (key) => (await (await cache()).match(url(key)))?.text(),
    set: async (key, value) => (await cache()).put(url(key), new Response(value)),
  };
}

function fileStore(): TuneStore {
  const fs = process.getBuiltinModule('node:fs/promises');
  const folder = cacheFolder();
  const file = process.getBuiltinModule('node:path').join(folder, 'tuned.json');
  const read = async () =>
    JSON.parse((await orNothing(() => fs.readFile(file, 'utf8'))) ?? '{}') as Record<string, string>;
  return {
    get: async (key) => (await read())[key],
    async set(key, value) {
      await fs.mkdir(folder, { recursive: true });
      const draft = `${file}.${process.pid}.draft`;
      await fs.writeFile(draft, JSON.stringify({ ...(await read()), [key]: value }, null, 1));
      await fs.rename(draft, file);
    },
  };
}

async function orNothing<T>(use: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await within(PATIENCE, Promise.resolve(use()), 'storage has not answered');
  } catch {
    return undefined;
  }
}
