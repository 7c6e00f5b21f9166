import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { VitrineError } from '../plan/error.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import { Arriving } from './arriving.ts';
import { ahead, download, fetchPiece, pieceBytes } from './cache-download.ts';
import { type CacheStore, platformStore } from './cache-store.ts';
import { exclusively } from './exclusively.ts';
import type { Bytes, Files, OpenFile } from './files.ts';
import type { Description, HttpFiles } from './http.ts';
import { inTime, timely } from './in-time.ts';
import { Lent, PieceMemory } from './lent.ts';
import { digestOf, entryPieces } from './pieces.ts';
import type { PieceStore, Pieces } from './store.ts';
import { Changed, Versions } from './versions.ts';

export type { CacheStore };

/** What a cache knows of a file. Its bytes lie beside it, in pieces. */
interface Entry {
  /** Name of the model that the file belongs to. */
  model: string;
  file: string;
  /** The server's name for these very bytes. Undefined for a file that was not there. */
  version?: string;
  size?: number;
  /** Bytes of a piece; the 512 KiB of earlier versions where it is absent. */
  piece?: number;
  /** Of each piece. Only a file that is whole, and has been checked, has them. */
  digests?: string[];
}

export const pieceOf = ({ piece = 1 << 19 }: Entry): number => piece;
/** Of a file that is begun. */
const bytesIn = (store: PieceStore): number => store.pieceBytes ?? pieceBytes;

/** A file whose every piece is in the cache. */
type Whole = Entry & { version: string; size: number; digests: string[] };

export const digest = (text: string) => bytesToHex(sha256(utf8ToBytes(text))).slice(0, 32);
export const isWhole = (entry: Entry | undefined): entry is Whole => entry?.digests !== undefined;

/** The version of files that were saved under a name, which no server gave. */
export const savedVersion = 'saved';

/** Files of a server, kept in a cache: each is downloaded once, goes on where it was cut, and is checked. */
export class CachedFiles implements Files {
  readonly #files: HttpFiles;
  readonly #model: string;
  readonly #store: Promise<PieceStore | undefined>;
  readonly #patience: number | undefined;
  /** What the server said of each file; asked once a load. */
  readonly #found = new Map<string, Description | undefined>();
  /** Files in the cache that are the server's. */
  readonly #whole = new Map<string, Whole>();
  readonly #versions = new Versions();
  /** Files that need no more keeping, or cannot be kept, or are on their way. */
  readonly #kept = new Set<string>();
  /** Those on their way. */
  readonly #coming = new Map<string, Arriving & { whole: Promise<unknown> }>();
  #stop = new AbortController();

  /** @param model its name in the cache; @param store the platform's own by default; @param patience with it, in milliseconds */
  constructor(files: HttpFiles, model: string, store?: CacheStore, patience?: number) {
    this.#files = files;
    this.#model = model;
    this.#patience = patience;
    this.#store = store ? Promise.resolve(timely(() => store, patience)) : platformStore(patience);
  }

  get name(): string {
    return this.#files.name;
  }

  async open(file: string, start: number, end: number, signal?: AbortSignal): Promise<OpenFile | undefined> {
    const store = await untilAborted(this.#store, signal);
    const text = start === 0 && end === Number.POSITIVE_INFINITY;
    if (store) {
      if (!(await untilAborted(this.#ask(store, file, signal), signal))) return undefined;
      if (text) await this.keep(file, signal);
    }
    const coming = this.#coming.get(file);
    if (coming && !text) {
      await untilAborted(coming.begun, signal);
      const { size } = this.#found.get(file) ?? {};
      const bytes = this.#follow(coming, file, start, Math.min(end, size ?? end), signal);
      if (coming.attempts > 0) return { size, bytes };
    }
    // A download that was begun anew may have brought another version than was read of before.
    if (store) this.#versions.check(file, { etag: this.#found.get(file)?.version }, this.#files.urlOf(file));
    const entry = this.#whole.get(file);
    if (!store || !entry) return this.#files.open(file, start, end, signal);
    return { size: entry.size, bytes: this.#read(store, entry, start, Math.min(end, entry.size), signal) };
  }

  /** As the server lists them; where it cannot be reached, or need not, those in the cache. */
  async list(signal?: AbortSignal): Promise<string[] | undefined> {
    const store = await untilAborted(this.#store, signal);
    const prefix = folderOf(this.#model);
    const cached = async () => {
      const keys = (await store?.keys?.(prefix).catch(() => [])) ?? [];
      const entries = keys.filter((key) => key.endsWith(',entry')).map((key) => readEntry(store!, key));
      return (await Promise.all(entries)).filter(isWhole).map(({ file }) => file);
    };
    if (this.#files.pinned) {
      const names = await untilAborted(cached(), signal);
      if (names.length > 0) return names;
    }
    try {
      return await this.#files.list(signal);
    } catch (error) {
      signal?.throwIfAborted();
      const names = await cached();
      if (names.length === 0) throw error;
      return names;
    }
  }

  missing(file: string): VitrineError {
    return this.#files.missing(file);
  }

  /** Until it is settled, `open` reads what has come, and waits for more. */
  async keep(file: string, signal?: AbortSignal, onBytes?: (bytes: number) => void): Promise<string | undefined> {
    if (this.#kept.has(file)) return undefined;
    this.#kept.add(file);
    const signals = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
    const arriving = new Arriving();
    const keeping = this.#tryKeeping(file, arriving, signals, onBytes);
    const whole = untilAborted(keeping, signals).finally(() => {
      this.#coming.delete(file);
      arriving.end();
    });
    this.#coming.set(file, Object.assign(arriving, { whole }));
    try {
      const why = await whole;
      if (arriving.attempts > 1 && arriving.isRead) throw new Changed(this.#files.urlOf(file));
      return why && `${why}, so ${file} is not kept.`;
    } catch (error) {
      this.#kept.delete(file);
      throw error;
    }
  }

  /** Gives up what is on its way; what has come is kept. */
  close(): void {
    this.#stop.abort(new Error('Nobody reads it any more.'));
    this.#stop = new AbortController();
  }

  /** Bytes of a file on its way; the rest from where it is once that has ended. */
  async *#follow(
    coming: Arriving & { whole: Promise<unknown> },
    file: string,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Bytes {
    const cut = coming.pieceBytes;
    let index = Math.floor(start / cut);
    let position = start;
    for await (const lent of ahead(index, Math.ceil(end / cut), (next) => coming.piece(next))) {
      const from = index++ * cut;
      const piece = lent?.bytes;
      const isAll =
        piece && piece.length === Math.min(cut, (this.#found.get(file)?.size ?? from + piece.length) - from);
      if (!isAll) break;
      coming.isRead = true;
      yield piece.subarray(Math.max(0, start - from), end - from);
      lent!.release();
      position = Math.min(end, from + cut);
    }
    if (position >= end) return;
    await coming.whole;
    if (coming.attempts > 1 && coming.isRead) throw new Changed(this.#files.urlOf(file));
    const rest = await this.open(file, position, end, signal);
    if (!rest) throw this.missing(file);
    yield* rest.bytes;
  }

  /** Why the file could not be kept. */
  async #tryKeeping(
    file: string,
    arriving: Arriving,
    signal?: AbortSignal,
    onBytes?: (bytes: number) => void,
  ): Promise<string | undefined> {
    const store = await this.#store;
    const found = store && (await this.#ask(store, file, signal));
    if (!store) return 'This browser has no storage that answers here (pages from https have it)';
    if (!found || this.#whole.has(file)) return undefined;
    if (found.version === undefined) return `The server names no version of ${file} (ETag or Last-Modified)`;
    const pieces = piecesOf(store, { model: this.#model, file, ...found });
    const moves = () => pieces.moved();
    try {
      return await exclusively(this.#key(file), { signal, moves, patience: this.#patience }, async () => {
        try {
          await this.#download(store, file, arriving, signal, onBytes);
          return undefined;
        } catch (error) {
          signal?.throwIfAborted();
          if (error instanceof VitrineError) throw error;
          await store.delete?.(this.#key(file)).catch(() => {}); // what will not be whole makes room
          await this.#write(store, { model: this.#model, file, ...found, piece: bytesIn(store) }).catch(() => {});
          return (error as Error).message;
        }
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof VitrineError) throw error;
      return `The browser gives no lock (${(error as Error).message})`;
    }
  }

  /** What the server says of a file, or where it cannot be reached, what the cache has; undefined if it is absent. */
  async #ask(store: PieceStore, file: string, signal?: AbortSignal): Promise<Description | undefined> {
    if (this.#found.has(file)) return this.#found.get(file);
    const entry = await this.#entry(store, file);
    const known = isWhole(entry) ? { size: entry.size, version: entry.version } : undefined;
    let found: Description | undefined;
    if (known && this.#files.pinned) found = known;
    else {
      try {
        found = await this.#files.describe(file, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!entry || (entry.version !== undefined && !known)) throw error;
        found = known; // without a network
      }
      if (!found && known && this.#files.hidden(file)) found = known;
    }
    // What is absent is so without a network too; what is begun is not complete.
    if (!entry && (!found || found.version))
      await this.#write(store, { model: this.#model, file, ...found, piece: bytesIn(store) }).catch(() => {});
    if (isWhole(entry) && found?.version === entry.version) this.#whole.set(file, entry);
    this.#found.set(file, found);
    return found;
  }

  /** Completes the file in the cache. Whatever is there of another version makes room first. */
  async #download(
    store: PieceStore,
    file: string,
    arriving: Arriving,
    signal: AbortSignal | undefined,
    onBytes: ((bytes: number) => void) | undefined,
  ): Promise<void> {
    for (let again = 0; ; again++) {
      const found = this.#found.get(file);
      if (found?.version === undefined) throw this.missing(file);
      const before = await this.#entry(store, file);
      const piece = before?.version === found.version ? pieceOf(before) : bytesIn(store);
      const entry: Entry = { model: this.#model, file, version: found.version, size: found.size, piece };
      if (isWhole(before) && before.version === entry.version) {
        this.#whole.set(file, before); // by another tab, while this one waited
        return;
      }
      if (before && before.version !== entry.version) await store.delete?.(this.#key(file));
      const pieces = piecesOf(store, entry);
      await requireRoom(store, found.size, pieces, this.#patience);
      await this.#write(store, entry);
      try {
        const hearing = { onBytes, arriving: arriving.begin(pieces) };
        const downloading = download(this.#files, file, found, pieces, signal, hearing);
        const { size, digests, oid } = await downloading.finally(() => pieces.close());
        if (oid === found.oid) {
          const whole = { ...entry, version: found.version, size, digests };
          await this.#write(store, whole);
          this.#whole.set(file, whole);
          return;
        }
        arriving.end();
        await this.#forget(store, entry);
        if (again >= 1) throw this.#corrupt(file, `hashes to ${oid}; expected ${found.oid}, as the hub has it`);
      } catch (error) {
        if (!(error instanceof Changed)) throw error;
        arriving.end();
        await this.#forget(store, entry);
        if (again >= 2) throw this.#corrupt(file, 'changes while it is downloaded, again and again');
      }
      this.#found.set(file, await this.#files.describe(file, signal, true));
    }
  }

  /** Bytes of a file in the cache. A piece that is damaged or gone is fetched again. */
  async *#read(store: PieceStore, entry: Whole, start: number, end: number, signal?: AbortSignal): Bytes {
    const pieces = piecesOf(store, entry);
    const piece = pieces.size;
    const memory = new PieceMemory(piece);
    const load = async (index: number) => {
      const expected = entry.digests[index];
      const into = memory.take();
      const kept = await pieces.get(index, into).catch(() => undefined);
      const isInto = kept?.buffer === into.buffer;
      if (kept && !isInto) memory.give(into);
      if (kept && (await digestOf(kept)) === expected) return new Lent(kept, isInto ? memory : undefined);
      const fetched = await fetchPiece(this.#files, entry.file, index, { size: entry.size, piece }, signal);
      if (fetched.digest !== expected) {
        await this.#forget(store, entry);
        throw this.#corrupt(entry.file, `was damaged in the cache at byte ${index * piece}, and has changed since`);
      }
      await pieces.put(index, fetched.bytes).catch(() => {});
      return new Lent(fetched.bytes);
    };
    let index = Math.floor(start / piece);
    try {
      for await (const lent of ahead(index, Math.ceil(end / piece), load)) {
        const from = index++ * piece;
        yield lent.bytes.subarray(Math.max(0, start - from), end - from);
        lent.release();
      }
    } finally {
      pieces.close();
    }
  }

  #key(file: string): string {
    return keyOf(this.#model, file);
  }

  async #entry(store: PieceStore, file: string): Promise<Entry | undefined> {
    return readEntry(store, `${this.#key(file)}entry`);
  }

  async #write(store: PieceStore, entry: Entry): Promise<void> {
    await store.put(`${this.#key(entry.file)}entry`, utf8ToBytes(JSON.stringify(entry)) as Uint8Array<ArrayBuffer>);
  }

  /** Drops a file's pieces, by emptying them where a store cannot delete. */
  async #forget(store: PieceStore, entry: Entry): Promise<void> {
    if (store.delete) return store.delete(this.#key(entry.file));
    const pieces = piecesOf(store, entry);
    await this.#write(store, { ...entry, digests: undefined });
    for (const index of (await pieces.present()).keys()) await pieces.put(index, new Uint8Array());
  }

  #corrupt(file: string, what: string): VitrineError {
    return new VitrineError('network', `${this.#files.urlOf(file)} ${what}.`, { hint: 'Try again later.' });
  }
}

/** Where all keys of a model begin. */
export const folderOf = (name: string): string => `${digest(name)}/`;

/** Where all keys of a file of it begin. */
export const keyOf = (name: string, file: string): string => `${folderOf(name)}${encodeURIComponent(file)},`;

/** Where a store has the pieces of a file. */
export function piecesOf(store: PieceStore, entry: Entry): Pieces {
  const prefix = `${keyOf(entry.model, entry.file)}${digest(entry.version ?? '')},`;
  const size = pieceOf(entry);
  return store.pieces?.(prefix, size) ?? entryPieces(store, prefix, size, Math.ceil((entry.size ?? 0) / size));
}

/** @throws Error unless the browser grants what is missing */
async function requireRoom(store: PieceStore, size: number | undefined, pieces: Pieces, patience?: number) {
  if (!store.delete || typeof navigator === 'undefined' || !navigator.storage?.estimate) return;
  const { quota, usage = 0 } = await inTime(navigator.storage.estimate(), patience);
  const needed = (size ?? 0) - (await pieces.present()).size * pieces.size;
  if (quota !== undefined && needed > quota - usage) {
    throw new Error(`The browser grants ${Math.max(0, quota - usage)} bytes of storage, and ${needed} are needed`);
  }
}

/** The entry at a key; what cannot be read is no entry. */
export async function readEntry(store: PieceStore, key: string): Promise<Entry | undefined> {
  try {
    const value = await store.get(key);
    return value ? (JSON.parse(new TextDecoder().decode(value)) as Entry) : undefined;
  } catch {
    return undefined;
  }
}
