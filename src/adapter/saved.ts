import { type CacheStore, folderOf, keyOf, savedVersion as version } from '../load/cache.ts';
import { models, storeOf } from '../load/cached-models.ts';
import { digestOf } from '../load/pieces.ts';
import type { PieceStore } from '../load/store.ts';
import { badCheckpoint, badOption } from '../plan/error.ts';
import { utf8 } from './write.ts';

/** Bytes of a piece of an adapter's file. */
const pieceBytes = 1 << 19;

/** A file as `models` lists it: kept by its name, in pieces, with their digests. */
interface Entry {
  model: string;
  file: string;
  version: string;
  size: number;
  digests: string[];
}

type Files = Record<string, Uint8Array<ArrayBuffer>>;

/** All that a saved adapter may have. */
const fileNames = ['adapter_config.json', 'adapter_model.safetensors', 'head.json', 'head.safetensors'];

async function required(cache: CacheStore | undefined): Promise<PieceStore> {
  const store = await storeOf(cache);
  if (store) return store;
  const hint = 'Pages from https have it; or pass a store.';
  throw badOption('There is no storage here that answers, so nothing can be saved.', hint);
}

/** Keeps files under a name, in place of those that had it. */
export async function saveFiles(name: string, files: Files, cache: CacheStore | undefined): Promise<void> {
  const store = await required(cache);
  const isOurs = (key: string) => fileNames.some((file) => key.startsWith(keyOf(name, file)));
  const isModel = !((await store.keys?.(folderOf(name))) ?? []).every(isOurs);
  if (isModel) throw badOption(`The storage holds a model ${JSON.stringify(name)}.`, 'Choose another name.');
  if (store.keys && store.delete) await models.delete(name, cache);
  for (const [file, bytes] of Object.entries(files)) {
    const digests: string[] = [];
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.slice(at, at + pieceBytes);
      await store.put(`${keyOf(name, file)}${version},${at / pieceBytes}`, piece);
      digests.push(await digestOf(piece));
    }
    // The entry comes last: without it nothing is there.
    const entry: Entry = { model: name, file, version, size: bytes.length, digests };
    await store.put(`${keyOf(name, file)}entry`, utf8(JSON.stringify(entry)));
  }
}

/** @throws VitrineError `bad-checkpoint` where nothing has the name, or what has it is damaged */
export async function savedFiles(name: string, cache: CacheStore | undefined): Promise<Files> {
  const store = await required(cache);
  const files: Files = {};
  for (const file of fileNames) {
    const found = await store.get(`${keyOf(name, file)}entry`);
    if (!found) continue;
    const { size, digests } = JSON.parse(new TextDecoder().decode(found)) as Entry;
    const bytes = new Uint8Array(size);
    for (const [i, digest] of digests.entries()) {
      const piece = await store.get(`${keyOf(name, file)}${version},${i}`);
      const own = piece && new Uint8Array(piece);
      if (!own || (await digestOf(own)) !== digest) {
        throw badCheckpoint(`The saved adapter ${JSON.stringify(name)} is damaged.`, 'Save it again.');
      }
      bytes.set(own, i * pieceBytes);
    }
    files[file] = bytes;
  }
  if (Object.keys(files).length > 0) return files;
  throw badCheckpoint(`No adapter is saved as ${JSON.stringify(name)}.`, 'models.list() names what is.');
}
