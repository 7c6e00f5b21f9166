import { badCheckpoint, type VitrineError } from '../plan/error.ts';
import { untilAborted } from '../plan/until-aborted.ts';

/** Chunks of any size, each until the next is asked for. Ending it early (`return`) closes what it reads from. */
export type Bytes = AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>;

/** A file, or a part of it, ready to be read. */
export interface OpenFile {
  /** Bytes of the whole file; undefined if a server does not say. */
  size: number | undefined;
  /** The part asked for, cut at the file's end. */
  bytes: Bytes;
  /** Every part is read from the file's beginning: a server that ignores ranges. */
  sequential?: boolean;
  /** Changes when the file does: a server's ETag, or the date of its last change. */
  version?: string;
}

/** The files of one checkpoint, wherever they are. */
export interface Files {
  /** Where they come from, for messages. */
  readonly name: string;
  /** Bytes [start, end) of a file; undefined if there is no such file. `end` may be beyond the file's. */
  open(file: string, start: number, end: number, signal?: AbortSignal): Promise<OpenFile | undefined>;
  /**
   * Brings a whole file near, if there is a cache for it: meanwhile `open` reads what has come. `onBytes`: how many of its bytes are there.
   * Returns a sentence where the file could not be kept, so that it is read from afar; rejects where what was read is not the file.
   */
  keep?(file: string, signal?: AbortSignal, onBytes?: (bytes: number) => void): Promise<string | undefined>;
  /** Gives up what `keep` has begun. */
  close?(): void;
  /** Names of the files; undefined where nobody can tell. */
  list?(signal?: AbortSignal): Promise<string[] | undefined>;
  /** The error for a file that had to be there when `open` found none. */
  missing(file: string): VitrineError;
}

/** Bytes of one read of a local file. */
export const chunkBytes = 1 << 20;

/** No config, index, header or tokenizer is larger; it is safetensors' own limit for a header. */
export const maxTextBytes = 100_000_000;

/** Reads chunks in the portions that its user wants. */
export class ByteReader {
  /** Offset in the file of the next byte. */
  position: number;
  readonly #bytes: Bytes;
  #chunk = new Uint8Array();

  constructor(bytes: Bytes, position: number) {
    this.#bytes = bytes;
    this.position = position;
  }

  /** The next bytes, at most `limit`; undefined at the end. */
  async next(limit: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    signal?.throwIfAborted();
    while (this.#chunk.length === 0) {
      const { done, value } = await untilAborted(this.#bytes.next(), signal);
      if (done) return undefined;
      this.#chunk = value;
    }
    const part = this.#chunk.subarray(0, limit);
    this.#chunk = this.#chunk.subarray(part.length);
    this.position += part.length;
    return part;
  }

  /** Fills `into` and returns how many bytes there were, fewer only at the end. */
  async fill(into: Uint8Array, signal?: AbortSignal, onBytes?: () => void): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const part = await this.next(into.length - filled, signal);
      if (!part) break;
      into.set(part, filled);
      filled += part.length;
      onBytes?.();
    }
    return filled;
  }

  /** Passes over what comes before `position`. */
  async skipTo(position: number, signal?: AbortSignal): Promise<void> {
    while (this.position < position && (await this.next(position - this.position, signal)));
  }

  cancel(): void {
    this.#bytes.return().catch(() => {}); // nobody waits for what is given up
  }
}

/** Ends a file that was opened and is not wanted: begun first, as a generator that never ran closes nothing. */
export async function discard(opened: OpenFile): Promise<void> {
  await opened.bytes.next().catch(() => {});
  await opened.bytes.return().catch(() => {});
}

/** Waits, or rejects with the signal's reason as soon as it aborts. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout>;
  const wait = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  return untilAborted(wait, signal).finally(() => clearTimeout(timer));
}

/** Whether there is such a file. */
export async function exists(files: Files, file: string, signal?: AbortSignal): Promise<boolean> {
  const opened = await files.open(file, 0, 1, signal);
  if (!opened) return false;
  const reader = new ByteReader(opened.bytes, 0);
  await reader.next(1, signal); // begun, so that it can be ended
  reader.cancel();
  return true;
}

/**
 * The text of a whole file; undefined if there is no such file.
 * @throws VitrineError `bad-checkpoint` if it is larger than `maxTextBytes` or not UTF-8
 */
export async function readText(files: Files, file: string, signal?: AbortSignal): Promise<string | undefined> {
  const bytes = await readBytes(files, file, signal);
  return bytes && decodeText(bytes, file);
}

/**
 * A whole file; undefined if there is no such file.
 * @throws VitrineError `bad-checkpoint` if it is larger than `maxTextBytes`
 */
export async function readBytes(files: Files, file: string, signal?: AbortSignal): Promise<ArrayBuffer | undefined> {
  const opened = await files.open(file, 0, Number.POSITIVE_INFINITY, signal);
  if (!opened) return undefined;
  const reader = new ByteReader(opened.bytes, 0);
  const parts: BlobPart[] = [];
  try {
    for (let part: Uint8Array<ArrayBuffer> | undefined; (part = await reader.next(maxTextBytes, signal)); ) {
      if (reader.position > maxTextBytes) throw badCheckpoint(`${file} has more than ${maxTextBytes} bytes.`);
      parts.push(part.slice());
    }
  } finally {
    reader.cancel();
  }
  return new Blob(parts).arrayBuffer();
}

export function decodeText(bytes: ArrayBuffer, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw badCheckpoint(`${what} is not UTF-8 text.`, undefined, cause);
  }
}

/** JSON, with NaN, Infinity and -Infinity where Python's json.dump writes them. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    try {
      return parsePythonJson(text);
    } catch (cause) {
      const begins = JSON.stringify(text.trimStart().slice(0, 24));
      const message = `${what} is not JSON: ${(cause as Error).message}; it begins with ${begins}.`;
      throw badCheckpoint(message, undefined, cause);
    }
  }
}

/** @throws SyntaxError if there is more wrong than Python's literals, of which inside strings there are none */
function parsePythonJson(text: string): unknown {
  const nan = `NaN ${Math.random()}`; // no text of a file says this
  const literals = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b|\bNaN\b/g;
  const json = text.replace(literals, (found) => {
    if (found.startsWith('"')) return found;
    return found === 'NaN' ? JSON.stringify(nan) : found.replace('Infinity', '1e999');
  });
  return JSON.parse(json, (_, value) => (value === nan ? Number.NaN : value));
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Weight files that peft writes. */
export const isAdapterFile = (file: string): boolean => /^adapter_model\.(safetensors|bin)$/i.test(file);
