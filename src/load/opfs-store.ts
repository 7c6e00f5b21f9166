import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { pause } from './files.ts';
import { orAbsent } from './folder-store.ts';
import { digestOf, entryPieces } from './pieces.ts';
import type { PieceStore, Pieces, Store } from './store.ts';

/** What stands before a piece in a file of pieces: its length in bytes, and its digest. */
const [lengthBytes, recordBytes] = [4, 20];
/** Where a piece costs no file of its own: browsers hash more than 960 KB in memory that they fetch anew each time. */
export const pieceInPlace = 1 << 19;
/** How often what another still holds is asked for, and after how many milliseconds. */
const [tries, betweenTries] = [40, 50];

/** The origin private file system: a file for each entry, and where files can be written in place one for all pieces of a file. */
export function opfsStore(root: FileSystemDirectoryHandle, moved: () => void): PieceStore {
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
  const store: Required<Store> = {
    get: (key) => orAbsent(async () => (await (await handleOf(key, false))?.getFile())?.arrayBuffer()),
    async put(key, value) {
      const handle = (await handleOf(key, true))!;
      if (inPlace) return putInPlace(handle, value);
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
      if (name === '') return orAbsent(() => onceFree(() => root.removeEntry(folder, { recursive: true })));
      for (const key of await store.keys(prefix)) {
        const remove = async () => (await root.getDirectoryHandle(folder)).removeEntry(key.slice(folder.length + 1));
        await orAbsent(() => onceFree(remove));
        moved();
      }
    },
  };
  const pieces = (prefix: string, size: number) => {
    const fileOf = (create: boolean) => orAbsent(() => handleOf(`${prefix}pieces`, create));
    return new FileOfPieces(fileOf, size, entryPieces(store, prefix, size, 0), inPlace);
  };
  return { ...store, pieces, copies: true, ...(inPlace && { pieceBytes: pieceInPlace }) };
}

/**
 * Pieces side by side in one file, each behind its record. The record is written last, and its digest tells a piece that a
 * crash of the system has lost. A page, which would have to copy the file for each piece, keeps pieces as files of their own,
 * as earlier builds did everywhere; such a one comes before what the file has.
 */
class FileOfPieces implements Pieces {
  readonly size: number;
  readonly copies = true;
  readonly #fileOf: (create: boolean) => Promise<FileSystemFileHandle | undefined>;
  readonly #own: Pieces;
  readonly #inPlace: boolean;
  #owned: Promise<Set<number>> | undefined;
  #snapshot: Promise<File | undefined> | undefined;
  /** The file for us alone, to be read in place; undefined where there is none, or another has it. */
  #held: Promise<SyncFile | undefined> | undefined;
  /** The same, to be written as well. */
  #writing: Promise<SyncFile> | undefined;
  #isClosed = false;

  constructor(
    fileOf: (create: boolean) => Promise<FileSystemFileHandle | undefined>,
    size: number,
    own: Pieces,
    inPlace: boolean,
  ) {
    this.size = size;
    this.#fileOf = fileOf;
    this.#own = own;
    this.#inPlace = inPlace;
  }

  async get(index: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if ((await this.#ownIndices()).has(index)) return this.#own.get(index);
    const [start, end] = [this.#at(index), this.#at(index + 1)];
    if (this.#inPlace && !this.#isClosed) this.#held ??= this.#hold(false).catch(() => undefined);
    const held = await this.#held;
    if (held) return readFrom(held, start, into ?? new Uint8Array(this.size));
    const bytes = await this.#read((file) => file.slice(start, end));
    const length = bytes && bytes.length >= recordBytes ? recordOf(bytes).length : 0;
    return length > 0 && bytes!.length >= recordBytes + length
      ? bytes!.subarray(recordBytes, recordBytes + length)
      : undefined;
  }

  async put(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const owned = await this.#ownIndices();
    if (!this.#inPlace || owned.has(index)) {
      const digest = await this.#own.put(index, bytes);
      owned.add(index);
      return digest;
    }
    this.#writing ??= this.#toWrite();
    const file = await this.#writing;
    const digesting = digestOf(bytes); // on another thread, while this one writes
    write(file, bytes, this.#at(index) + recordBytes);
    const digest = await digesting;
    const record = new Uint8Array(recordBytes);
    new DataView(record.buffer).setUint32(0, bytes.length);
    record.set(hexToBytes(digest), lengthBytes);
    write(file, record, this.#at(index));
    return digest;
  }

  async present(): Promise<ReadonlyMap<number, string | undefined>> {
    const found = new Map<number, string | undefined>();
    const records = await this.#read((file) => {
      const count = Math.ceil(file.size / this.#at(1));
      return new Blob(Array.from({ length: count }, (_, i) => file.slice(this.#at(i), this.#at(i) + recordBytes)));
    });
    for (let at = 0; at + recordBytes <= (records?.length ?? 0); at += recordBytes) {
      const { length, digest } = recordOf(records!.subarray(at));
      if (length > 0) found.set(at / recordBytes, digest);
    }
    this.#owned = undefined;
    for (const index of await this.#ownIndices()) found.set(index, undefined);
    return found;
  }

  /** By what the system says of the file: it is being written. */
  async moved(): Promise<number> {
    const file = await (await this.#fileOf(false))?.getFile();
    return (file?.lastModified ?? 0) + (await this.#own.present()).size;
  }

  close(): void {
    this.#isClosed = true;
    this.#held?.then((file) => file?.close()).catch(() => {});
    this.#held = undefined;
    this.#writing = undefined;
    this.#snapshot = undefined;
  }

  async #hold(create: boolean): Promise<SyncFile | undefined> {
    const handle = await this.#fileOf(create);
    return handle && openInPlace(handle);
  }

  async #toWrite(): Promise<SyncFile> {
    const held = await this.#held;
    if (held) return held;
    const opening = onceFree(() => this.#hold(true)) as Promise<SyncFile>;
    this.#held = opening;
    return opening;
  }

  #at(index: number): number {
    return index * (recordBytes + this.size);
  }

  /** Of the pieces that are files of their own. */
  #ownIndices(): Promise<Set<number>> {
    this.#owned ??= this.#own.present().then((found) => new Set([...found.keys()].filter(Number.isInteger)));
    this.#owned.catch(() => {
      this.#owned = undefined;
    });
    return this.#owned;
  }

  /** A part of the file. As browsers read no file that was written since they looked at it, some look again. */
  async #read(part: (file: File) => Blob): Promise<Uint8Array<ArrayBuffer> | undefined> {
    for (let again = 0; ; again++) {
      this.#snapshot ??= this.#fileOf(false).then((handle) => handle?.getFile());
      const snapshot = this.#snapshot;
      try {
        const file = await snapshot;
        return file && new Uint8Array(await part(file).arrayBuffer());
      } catch (error) {
        if (this.#snapshot === snapshot) this.#snapshot = undefined;
        if (again === 2) throw error;
      }
    }
  }
}

/** What needs a file that nobody holds: whoever gave the lock of its name away may take a moment to let go of it. */
async function onceFree<T>(use: () => Promise<T>): Promise<T> {
  for (let again = 1; ; again++) {
    try {
      return await use();
    } catch (error) {
      if ((error as Error).name !== 'NoModificationAllowedError' || again === tries) throw error;
      await pause(betweenTries);
    }
  }
}

/** TypeScript knows it only in workers. */
interface SyncFile {
  getSize(): number;
  truncate(size: number): void;
  read(into: Uint8Array, options: { at: number }): number;
  write(value: Uint8Array, options: { at: number }): number;
  close(): void;
}

/** Chromium never answers a handle that was collected while it opened its file. */
const opening = new Set<FileSystemFileHandle>();

function openInPlace(handle: FileSystemFileHandle): Promise<SyncFile> {
  const { createSyncAccessHandle } = handle as unknown as { createSyncAccessHandle(): Promise<SyncFile> };
  opening.add(handle);
  return createSyncAccessHandle.call(handle).finally(() => opening.delete(handle));
}

/** Workers write in place, some browsers nowhere else, and faster: an entry cut short is known by its length. */
async function putInPlace(handle: FileSystemFileHandle, value: Uint8Array): Promise<void> {
  const file = await openInPlace(handle);
  try {
    if (file.getSize() > value.length) file.truncate(value.length);
    write(file, value, 0);
  } finally {
    file.close();
  }
}

/** There is no flush: what a crash of the system loses, its digest tells. */
function write(file: SyncFile, value: Uint8Array, at: number): void {
  const written = file.write(value, { at });
  // Where there is no more room, Chromium answers -8 as a number without a sign.
  if (written !== value.length)
    throw new Error(`${value.length} bytes more than ${file.getSize()} could not be written`);
}

/** The piece whose record begins at `at`; undefined if it is not there. */
function readFrom(file: SyncFile, at: number, into: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  const record = new Uint8Array(recordBytes);
  const length = file.read(record, { at }) === recordBytes ? recordOf(record).length : 0;
  const bytes = into.subarray(0, length);
  return length > 0 && file.read(bytes, { at: at + recordBytes }) === length ? bytes : undefined;
}

function recordOf(bytes: Uint8Array<ArrayBuffer>): { length: number; digest: string } {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return { length, digest: bytesToHex(bytes.subarray(lengthBytes, recordBytes)) };
}
