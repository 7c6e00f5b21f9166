import type { Store } from './store.ts';

const { process } = globalThis; // by its bare name, bundlers put a package of theirs in its place

/** What `use` gives; undefined where there is no such entry. */
export async function orAbsent<Result>(use: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await use();
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException;
    if (name === 'NotFoundError' || code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A cache in a folder on disk, in Node: `load(id, { cache: folderStore('./models') })`. */
export function folderStore(folder: string): Required<Store> {
  const fs = process.getBuiltinModule('node:fs/promises');
  const { join, dirname } = process.getBuiltinModule('node:path');
  const pathOf = (key: string) => join(folder, ...key.split('/'));
  let writes = 0;
  const store: Required<Store> = {
    get: (key) => orAbsent(async () => new Uint8Array(await fs.readFile(pathOf(key)))),
    async put(key, value) {
      const path = pathOf(key);
      const draft = `${path}.${process.pid}-${writes++}.draft`;
      await fs.mkdir(dirname(path), { recursive: true });
      try {
        await fs.writeFile(draft, value);
        await fs.rename(draft, path);
      } catch (error) {
        await fs.rm(draft, { force: true });
        throw error;
      }
    },
    async keys(prefix) {
      const folders = (await orAbsent(() => fs.readdir(folder))) ?? [];
      const keys: string[] = [];
      for (const name of folders) {
        if (!/^[0-9a-f]{32}$/.test(name) || !`${name}/`.startsWith(prefix.slice(0, 33))) continue;
        for (const file of await fs.readdir(join(folder, name))) {
          if (!file.endsWith('.draft')) keys.push(`${name}/${file}`);
        }
      }
      return keys.filter((key) => key.startsWith(prefix));
    },
    async delete(prefix) {
      if (prefix.endsWith('/')) return fs.rm(pathOf(prefix), { recursive: true, force: true });
      for (const key of await store.keys(prefix)) await fs.rm(pathOf(key), { force: true });
    },
  };
  return store;
}
