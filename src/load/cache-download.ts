import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { VitrineError } from '../plan/error.ts';
import type { Arriving } from './arriving.ts';
import { discard, type OpenFile, pause } from './files.ts';
import { type Description, fillBytes, type HttpFiles, type Room } from './http.ts';
import { Lent, PieceMemory } from './lent.ts';
import { digestOf } from './pieces.ts';
import type { Pieces } from './store.ts';
import { Changed } from './versions.ts';

/** Bytes of a piece that is an entry by itself: what is kept at once, and so the most that a request loses when it is killed. */
export const pieceBytes = 1 << 21;
/** Most bytes of one request, and requests at a time: what is asked for in many small ones comes at half the speed. */
const runBytes = 1 << 23;
const lanes = 4;
/** Requests in a row that bring next to nothing before the download is given up. */
const patience = 3;
const fewBytes = 1 << 14;

export interface Downloaded {
  size: number;
  /** Of each piece. */
  digests: string[];
  /** Hash of the whole, of the kind that the description has. */
  oid: string | undefined;
}

interface DownloadOptions {
  onBytes?: ((bytes: number) => void) | undefined;
  /** Hears of each piece as it is kept. */
  arriving?: Arriving | undefined;
  /** Whether the server gives parts of the file; else it is read in one go. */
  parts?: boolean;
}

/**
 * Downloads what is missing of a file into its pieces: requests side by side, each piece kept as it is complete, all
 * hashed in order. Several tries, with pauses between, as long as they bring something.
 * @throws Changed if the file on the server changes on the way, VitrineError `network`, and what `pieces` throws
 */
export async function download(
  files: HttpFiles,
  file: string,
  found: Description,
  pieces: Pieces,
  signal?: AbortSignal,
  { onBytes, arriving, parts = found.size !== undefined }: DownloadOptions = {},
): Promise<Downloaded> {
  const stop = new AbortController();
  const task: Task = {
    files,
    file,
    found: { ...found },
    pieces,
    memory: new PieceMemory(pieces.size),
    signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    loaded: 0,
    digests: new Map(),
    noted: new Map(),
    onBytes,
    arriving,
  };
  const running: Promise<void>[] = [];
  try {
    const size = parts ? found.size! : await fetchWhole(task);
    const whole = { first: 0, count: Math.ceil(size / pieces.size), present: true };
    const plan = parts ? await planRuns(task, size) : [whole];
    const hash = found.oid?.length === 40 ? sha1.create().update(gitHeader(size)) : sha256.create();
    const digests: string[] = [];
    for (const [index, { first, count }] of plan.entries()) {
      for (const next of plan.slice(running.length, index + lanes)) {
        const run = next.present ? Promise.resolve() : fetchRange(task, next.first, next.count, size);
        run.catch(() => {}); // whoever awaits it first hears of it
        running.push(run);
      }
      await running[index];
      const kept = async (piece: number) => {
        const digest = task.digests.get(piece);
        if (digest && !found.oid) return { digest, lent: undefined }; // for the hash of the whole all must be read
        const fresh = digest && arriving?.fresh(piece);
        const read = fresh ? { digest, lent: fresh } : await keptPiece(task, piece, size);
        arriving?.add(piece, read.lent);
        return read;
      };
      for await (const { digest, lent } of ahead(first, first + count, kept)) {
        if (found.oid) hash.update(lent!.bytes);
        lent?.release();
        arriving?.passed(digests.length);
        digests.push(digest);
      }
    }
    return { size, digests, oid: found.oid && bytesToHex(hash.digest()) };
  } catch (error) {
    if (!(error instanceof SequentialOnly) || signal?.aborted) throw error;
    stop.abort();
    await Promise.allSettled(running);
    return await download(files, file, found, pieces, signal, { onBytes, arriving, parts: false });
  } finally {
    stop.abort(new Error('another part of the file failed'));
    await Promise.allSettled(running);
  }
}

/** What `load` makes of the numbers [first, end), in order, some of them ahead. */
export async function* ahead<Value>(first: number, end: number, load: (index: number) => Promise<Value>) {
  const loading: Promise<Value>[] = [];
  for (let index = first; index < end; index++) {
    while (loading.length < lanes && index + loading.length < end) {
      const next = load(index + loading.length);
      next.catch(() => {}); // heard of when it is awaited
      loading.push(next);
    }
    yield await loading.shift()!;
  }
}

/** Fetches one piece. */
export async function fetchPiece(
  files: HttpFiles,
  file: string,
  index: number,
  { size, piece }: { size: number; piece: number },
  signal?: AbortSignal,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; digest: string }> {
  let found: Uint8Array<ArrayBuffer>;
  const pieces = {
    size: piece,
    copies: false,
    put: (_: number, bytes: typeof found) => {
      found = bytes;
      return digestOf(bytes);
    },
  };
  const digests = new Map<number, string>();
  const memory = new PieceMemory(piece);
  await fetchRange({ files, file, found: { size }, pieces, memory, signal, loaded: 0, digests }, index, 1, size);
  return { bytes: found!, digest: digests.get(index)! };
}

/** What is fetched, and into what. */
interface Fetching {
  files: HttpFiles;
  file: string;
  found: Description;
  pieces: Pick<Pieces, 'size' | 'copies' | 'put'>;
  memory: PieceMemory;
  signal: AbortSignal | undefined;
  /** Bytes that have come. */
  loaded: number;
  /** Of the pieces that have come. */
  digests: Map<number, string>;
  onBytes?: ((bytes: number) => void) | undefined;
  arriving?: Arriving | undefined;
}

interface Task extends Fetching {
  pieces: Pieces;
  /** Of the pieces that were there before, as the cache has written them down. */
  noted: ReadonlyMap<number, string | undefined>;
}

/** Neighbouring pieces, all there or all missing. */
interface Run {
  first: number;
  count: number;
  present: boolean;
}

/** The server does not give parts of the file. */
class SequentialOnly extends Error {}

const lengthOf = ({ pieces }: Fetching, index: number, size: number) =>
  Math.min(pieces.size, size - index * pieces.size);

async function planRuns(task: Task, size: number): Promise<Run[]> {
  const kept = await task.pieces.present();
  task.noted = kept;
  const runs: Run[] = [];
  const most = Math.ceil(Math.min(runBytes, size / lanes) / task.pieces.size);
  for (let index = 0; index * task.pieces.size < size; index++) {
    const present = kept.has(index);
    const last = runs.at(-1);
    if (last?.present === present && last.count < most) last.count++;
    else runs.push({ first: index, count: 1, present });
    if (present) count(task, lengthOf(task, index, size));
  }
  return runs;
}

function count(task: Fetching, bytes: number): void {
  task.loaded += bytes;
  task.onBytes?.(task.loaded);
}

/** A piece as the cache has it, and its digest; one that is gone, cut short or not what was written down is fetched again. */
async function keptPiece(task: Task, index: number, size: number) {
  const length = lengthOf(task, index, size);
  for (let again = false; ; again = true) {
    task.signal?.throwIfAborted();
    const bytes = await task.pieces.get(index);
    if (bytes?.length === length) {
      const digest = task.digests.get(index) ?? (await digestOf(bytes));
      if (again || digest === (task.noted.get(index) ?? digest)) return { digest, lent: new Lent(bytes) };
    }
    if (again) throw new Error(`The cache has ${bytes?.length ?? 'none'} of the ${length} bytes that it took`);
    await fetchRange(task, index, 1, size);
  }
}

/** Fetches neighbouring pieces in one request, and in more from where one ends early. */
async function fetchRange(task: Fetching, first: number, pieceCount: number, size: number): Promise<void> {
  const writer = new PieceWriter(task, first * task.pieces.size, size);
  const end = Math.min(size, (first + pieceCount) * task.pieces.size);
  let sequential = 0;
  const attempt = async () => {
    const opened = await openSame(task, writer.position, end, writer.room);
    if (opened.sequential && (writer.position > 0 || end < size)) {
      await discard(opened);
      if (++sequential === 2) throw new SequentialOnly();
    } else await writer.drain(opened, end);
    if (writer.position < end) throw shortOf(task, writer.position, end);
  };
  await persist(task, attempt, () => writer.position);
}

/** Fetches the file from its beginning in one answer; returns its size. */
async function fetchWhole(task: Task): Promise<number> {
  const end = Number.POSITIVE_INFINITY;
  const { size } = task.found;
  let position = 0;
  const attempt = async () => {
    task.loaded = 0;
    const writer = new PieceWriter(task, 0, end);
    await writer.drain(await openSame(task, 0, end, writer.room), end);
    await writer.end();
    position = writer.position;
    if (size !== undefined && position !== size) throw shortOf(task, position, size);
  };
  await persist(task, attempt, () => 0);
  return position;
}

/** Runs `attempt` until it succeeds; network failures are borne as long as the position moves between them. */
async function persist(task: Fetching, attempt: () => Promise<void>, position: () => number): Promise<void> {
  for (let failures = 0, reached = position(); ; ) {
    try {
      return await attempt();
    } catch (error) {
      task.signal?.throwIfAborted();
      if (!(error instanceof VitrineError) || error instanceof Changed) throw error;
      failures = position() > reached + fewBytes ? 1 : failures + 1;
      reached = position();
      if (failures === patience) throw error;
      await pause(100 * 3 ** failures, task.signal);
    }
  }
}

/** Opens a part of the file that was described, and of no other version of it. */
async function openSame({ files, file, found, signal }: Fetching, start: number, end: number, room: Room) {
  const opened = await files.open(file, start, end, signal, room);
  if (!opened) throw files.missing(file);
  const { size, version } = opened;
  const resized = found.size !== undefined && size !== undefined && size !== found.size;
  // A hash tells all; the servers behind a hub may disagree on how they call the same bytes.
  const renamed = !found.oid && found.version !== undefined && version !== undefined && version !== found.version;
  if (resized || renamed) {
    await discard(opened);
    throw new Changed(files.urlOf(file));
  }
  return opened;
}

function shortOf({ files, file }: Fetching, position: number, end: number): VitrineError {
  return new VitrineError('network', `${files.urlOf(file)} ended at byte ${position}; expected ${end}.`);
}

/** Puts bytes that come in order into pieces. */
class PieceWriter {
  position: number;
  readonly #task: Fetching;
  readonly #size: number;
  #piece: Uint8Array<ArrayBuffer> = new Uint8Array();
  #filled = 0;
  #keeping: Promise<void> = Promise.resolve();
  /** What an answer has been given to fill, and what it fills where that is no whole piece. */
  #given: Uint8Array<ArrayBuffer> | undefined;
  #portion: Uint8Array<ArrayBuffer> = new Uint8Array();

  constructor(task: Fetching, position: number, size: number) {
    this.#task = task;
    this.position = position;
    this.#size = size;
  }

  /** Memory for an answer: a piece, if it may be filled at once, or a portion, to be copied. */
  readonly room: Room = (most) => {
    const length = this.#nextLength();
    const isPiece = this.#filled === 0 && length <= Math.min(most, fillBytes);
    if (!isPiece && this.#portion.length === 0) this.#portion = new Uint8Array(fillBytes);
    this.#given = isPiece ? this.#task.memory.take(length) : this.#portion;
    return this.#given.subarray(0, most);
  };

  /** Takes all that an answer brings, up to `end`. */
  async drain(opened: OpenFile, end: number): Promise<void> {
    try {
      for await (const bytes of opened.bytes) await this.#take(bytes.subarray(0, end - this.position));
    } finally {
      await this.#keeping.catch(() => {}); // whoever tries again finds nobody writing
    }
    await this.#keeping;
  }

  async #take(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const isOurs = this.#given?.length === 0; // it went along, and has come back
    this.#given = undefined;
    let isWhole = false;
    for (let rest = bytes; rest.length > 0; ) {
      const length = this.#nextLength();
      isWhole = isOurs && this.#filled === 0 && rest.length === length && rest.buffer.byteLength === length;
      if (this.#filled === 0) this.#piece = isWhole ? rest : this.#task.memory.take(length);
      const part = rest.subarray(0, this.#piece.length - this.#filled);
      if (!isWhole) this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      this.position += part.length;
      rest = rest.subarray(part.length);
      count(this.#task, part.length);
      if (this.#filled === this.#piece.length) await this.#flush();
    }
    if (isOurs && !isWhole) this.#portion = new Uint8Array(bytes.buffer);
  }

  #nextLength(): number {
    return Math.min(this.#task.pieces.size, this.#size - this.position);
  }

  /** Keeps the piece as far as it is filled. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#keeping;
  }

  /** Begins to keep the piece, once the one before it is kept: meanwhile the next one comes. */
  async #flush(): Promise<void> {
    if (this.#filled === 0) return;
    const index = Math.floor((this.position - 1) / this.#task.pieces.size);
    const bytes = this.#piece.subarray(0, this.#filled);
    this.#piece = new Uint8Array();
    this.#filled = 0;
    await this.#keeping;
    this.#keeping = this.#keep(index, bytes);
    this.#keeping.catch(() => {}); // heard of by whoever awaits it
  }

  async #keep(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { pieces, digests, arriving, memory } = this.#task;
    const kept = pieces.put(index, bytes).catch((cause: Error) => {
      throw new Error(`The cache took no more (${cause.message})`, { cause });
    });
    digests.set(index, await kept);
    const lent = new Lent(bytes, pieces.copies ? memory : undefined);
    arriving?.add(index, lent);
    lent.release();
  }
}

/** What git hashes before a file's bytes. */
const gitHeader = (size: number) => new TextEncoder().encode(`blob ${size}\0`);
