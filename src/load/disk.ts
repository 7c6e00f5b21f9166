import { badCheckpoint, type VitrineError } from '../plan/error.ts';
import { type Bytes, chunkBytes, type Files, type OpenFile } from './files.ts';
import { Versions } from './versions.ts';

const { process } = globalThis; // by its bare name, bundlers put a package of theirs in its place

/** Node's own modules, in a way that no bundler for browsers follows. */
const fs = () => process.getBuiltinModule('node:fs/promises');
const url = () => process.getBuiltinModule('node:url');

/** The files of a folder on disk (Node). */
export class DiskFiles implements Files {
  readonly name: string;
  readonly #versions = new Versions();

  /** @param folder its path, with a slash at the end */
  constructor(folder: string) {
    this.name = folder;
  }

  async open(file: string, start: number, end: number): Promise<OpenFile | undefined> {
    const path = this.name + file;
    const stat = await attempt(path, () => fs().stat(path));
    if (!stat?.isFile()) return undefined;
    this.#versions.check(file, { modified: `${stat.mtimeMs}`, size: stat.size }, path);
    return { size: stat.size, bytes: chunks(path, start, Math.min(end, stat.size)) };
  }

  async list(): Promise<string[] | undefined> {
    return attempt(this.name, () => fs().readdir(this.name));
  }

  missing(file: string): VitrineError {
    return badCheckpoint(`There is no ${file} in ${this.name}.`);
  }
}

async function* chunks(path: string, start: number, end: number): Bytes {
  const handle = await attempt(path, () => fs().open(path));
  try {
    for (let from = start; handle && from < end; ) {
      const chunk = new Uint8Array(Math.min(chunkBytes, end - from));
      const read = await attempt(path, () => handle.read(chunk, 0, chunk.length, from));
      if (!read?.bytesRead) return;
      from += read.bytesRead;
      yield chunk.subarray(0, read.bytesRead);
    }
  } finally {
    await handle?.close();
  }
}

/** A path of a folder, or of a weight file in one, as that folder and the file. */
export async function locateOnDisk(source: string): Promise<{ files: Files; weights?: string }> {
  const path = source.startsWith('file:') ? await attempt(source, async () => url().fileURLToPath(source)) : source;
  const stat = path && (await attempt(path, () => fs().stat(path)));
  if (!stat) throw badCheckpoint(`There is no file or folder ${source}.`);
  if (stat.isDirectory()) return { files: new DiskFiles(path.endsWith('/') ? path : `${path}/`) };
  const slash = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  return { files: new DiskFiles(path.slice(0, slash + 1)), weights: path.slice(slash + 1) };
}

/** What `use` gives; undefined if there is no such file. */
async function attempt<Result>(path: string, use: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await use();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw badCheckpoint(`${path} could not be read: ${(cause as Error).message}.`, undefined, cause);
  }
}
