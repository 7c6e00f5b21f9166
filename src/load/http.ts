import { VitrineError } from '../plan/error.ts';
import { Queue } from '../plan/patience.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import { type Bytes, discard, type Files, type OpenFile, pause } from './files.ts';
import { Versions } from './versions.ts';

/** Answers that mean "no such file": S3 and the like say 403 for it. */
const absent = [403, 404, 410];
/** Answers of a server that may do better soon. */
const busy = [429, 500, 502, 503, 504];
/** Times that a busy server is asked again, and the longest that it may have us wait before. */
const retries = 3;
const longestWait = 60_000;
/** Most bytes of memory that an answer fills before they are passed on. */
export const fillBytes = 1 << 19;

const served = 'Pages from file: may read no files beside them: serve the folder, or let its files be dropped.';
const again = 'Check the name or address, and whether the model is public, or try again later.';

/** The platform's fetch, as far as it is used. */
export type Fetch = (url: string, request: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** Used in place of the platform's fetch. */
  fetch?: Fetch | undefined;
  /** What the browser's own cache may do: `no-store` where the files are kept elsewhere, `no-cache` where it has old parts. */
  cache?: 'default' | 'no-store' | 'no-cache';
  /** Sent with each request. */
  headers?: Record<string, string>;
  /** Milliseconds without a byte after which a connection is given up. */
  patience?: number;
}

/** What is known of a file before it is read. */
export interface Description {
  size?: number;
  version?: string;
  /** What its bytes hash to: a sha256, or the 40 digits of git's sha1 of a blob. */
  oid?: string;
}

/** Files behind URLs, read by range where the server can. */
export class HttpFiles implements Files {
  readonly name: string;
  /** The files can never change: a commit's. */
  readonly pinned: boolean = false;
  /** Several servers have the files, each with its own names for their versions. */
  protected readonly isMirrored: boolean = false;
  readonly #versions = new Versions();
  /** Why a file was taken for absent. */
  readonly #refusals = new Map<string, string>();
  readonly #urlOf: (file: string) => string;
  readonly #options: HttpOptions;
  readonly #reading: Reading;
  #givesParts: Promise<boolean> | undefined;

  constructor(name: string, urlOf: (file: string) => string, options: HttpOptions = {}) {
    this.name = name;
    this.#urlOf = urlOf;
    this.#options = options;
    this.#reading = { patience: options.patience ?? 30_000, isCut: false };
  }

  /** @param room memory for the next bytes of the answer, which comes back with them where a browser can fill it */
  async open(
    file: string,
    start: number,
    end: number,
    signal?: AbortSignal,
    room?: Room,
  ): Promise<OpenFile | undefined> {
    const url = this.urlOf(file);
    const whole = start === 0 && end === Number.POSITIVE_INFINITY;
    // What is in memory is soon passed over, and Node's own range of a blob: lacks its last byte.
    const headers: Record<string, string> =
      whole || /^(blob|data):/i.test(url) ? {} : { Range: `bytes=${start}-${end - 1}` };
    const response = await this.#ask(file, headers, signal);
    if (!response) return undefined;
    const { status } = response;
    const given = response.headers.get('content-range') ?? ''; // `bytes 0-99/1234`, where it can be read
    const [, first, last, total] = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(given) ?? [];
    if (status === 416 && total === '0') {
      await this.#requireSame(file, response, 0);
      return { size: 0, ...this.#body(response, url, 0, 0) };
    }

    const html = response.ok && /^text\/html\b/i.test(response.headers.get('content-type') ?? '');
    const misplaced = first !== undefined && Number(first) !== start;
    if (!response.ok || html || misplaced) await response.body?.cancel();
    const refusal = this.refusal(response);
    if (refusal) throw refusal;
    if (absent.includes(status) || html) {
      this.#refusals.set(file, html ? 'answered with a web page (text/html)' : `answered ${status}`);
      return undefined;
    }
    if (!response.ok) {
      const words = `${status} ${response.statusText}`.trim();
      const wait = response.headers.get('retry-after');
      const until = wait ? ` It asks to wait: Retry-After is ${wait}.` : '';
      throw new VitrineError('network', `${url} answered ${words} instead of the file.${until}`, { hint: again });
    }
    if (misplaced) throw failed(url, `answered with ${given} when asked for ${start}-${end - 1}`);
    if (status === 206) {
      const length = last === undefined ? lengthOf(response) : Number(last) + 1 - start;
      const size = total === undefined ? undefined : Number(total);
      await this.#requireSame(file, response, size);
      return { size, ...this.#body(response, url, 0, end - start, { room, length }) };
    }
    if (headers.Range && this.isLocal && (await this.#partsAsWhole(url, signal))) {
      return { size: undefined, ...this.#body(response, url, 0, end - start) };
    }
    // Without a range, browsers ask for compressed answers and check the length themselves.
    const size = whole ? undefined : lengthOf(response);
    await this.#requireSame(file, response, size);
    return { size, ...this.#body(response, url, start, end, { length: size }), sequential: true };
  }

  /** The answer for a file or a part of it; undefined where one of the browser's own schemes has none. */
  async #ask(file: string, headers: Record<string, string>, signal?: AbortSignal): Promise<Response | undefined> {
    const url = this.urlOf(file);
    let response: Response;
    try {
      response = await this.request(url, { headers }, signal);
    } catch (error) {
      // They know no status 404.
      if (!this.isLocal || signal?.aborted) throw error;
      this.#refusals.set(file, `could not be fetched (${reasonOf((error as Error).cause)})`);
      return undefined;
    }
    if (response.status !== 416 || response.headers.get('content-range')?.endsWith('*/0')) return response;
    await response.body?.cancel();
    return this.request(url, {}, signal); // it may have the file, if not its parts
  }

  /** What comes next of a file may be of another version. */
  protected forget(file: string): void {
    this.#versions.forget(file);
  }

  /** @throws Changed if the answer is of another version than those before it */
  async #requireSame(file: string, response: Response, size: number | undefined): Promise<void> {
    const { headers, url } = response;
    const modified = headers.get('last-modified') ?? undefined;
    const namer = `${headers.get('content-encoding') ?? ''} ${this.isMirrored && url ? new URL(url).host : ''}`;
    try {
      this.#versions.check(file, { etag: etagOf(response), modified, size, namer }, shown(this.urlOf(file)));
    } catch (error) {
      await response.body?.cancel();
      throw error;
    }
  }

  /** Whether the browser answers a range with 200 and that range, as Chromium does in extensions and for files on disk. */
  async #partsAsWhole(url: string, signal: AbortSignal | undefined): Promise<boolean> {
    this.#givesParts ??= this.request(url, { headers: { Range: 'bytes=0-0' } }, signal).then(async (response) => {
      let bytes = 0;
      for await (const chunk of body(response, url, 0, 2, this.#reading)) bytes += chunk.length;
      return bytes === 1;
    });
    return this.#givesParts;
  }

  /** Whether the files are the browser's own, an extension's or an app's: no server has them. */
  get isLocal(): boolean {
    return !/^https?:/i.test(this.urlOf(''));
  }

  /** Asks for a file's size and version; undefined if there is no such file. `anew`: what was known is out of date. */
  async describe(file: string, signal?: AbortSignal, anew?: boolean): Promise<Description | undefined> {
    if (anew) this.forget(file);
    const opened = await this.open(file, 0, 1, signal);
    if (!opened) return undefined;
    await discard(opened);
    return { size: opened.size, version: opened.version };
  }

  /** Why an answer is the end of it, where the server is known to mean more than the status says. */
  protected refusal(_: Response): VitrineError | undefined {
    return undefined;
  }

  /** A server does not say. */
  async list(_signal?: AbortSignal): Promise<string[] | undefined> {
    return undefined;
  }

  missing(file: string): VitrineError {
    const why = this.whyAbsent(file) ?? 'is not there';
    const url = this.urlOf(file);
    const message = `${shown(url)} ${why}: ${this.name} has no ${file}.`;
    return new VitrineError('network', message, { hint: url.startsWith('file:') ? served : again });
  }

  protected whyAbsent(file: string): string | undefined {
    return this.#refusals.get(file);
  }

  /** Whether the file was taken for absent because a web page came in its place, as a hotel's login does. */
  hidden(file: string): boolean {
    return this.#refusals.get(file)?.includes('web page') ?? false;
  }

  urlOf(file: string): string {
    return this.#urlOf(file);
  }

  /** The answer to a request; a busy server is asked again after a while. */
  protected async request(url: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      const response = await this.#answer(url, init, signal);
      const wait = retryAfter(response) ?? 300 * 3 ** attempt;
      if (!busy.includes(response.status) || attempt === retries || wait > longestWait) return response;
      await response.body?.cancel();
      await pause(wait, signal);
    }
  }

  async #answer(url: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
    const { fetch: fetcher = globalThis.fetch, headers, cache } = this.#options;
    const { patience } = this.#reading;
    const impatient = new AbortController();
    const timer = setTimeout(() => impatient.abort(new Error(`no answer for ${patience / 1000} s`)), patience);
    const signals = signal ? AbortSignal.any([signal, impatient.signal]) : impatient.signal;
    try {
      const request = { ...init, cache, headers: { ...headers, ...init.headers }, signal: signals };
      const response = await untilAborted(fetcher(url, request), signals); // a method call would hand window.fetch a wrong `this`
      if (typeof response?.headers?.get !== 'function') throw new Error('fetch gave no Response');
      return response;
    } catch (cause) {
      throw signal?.aborted ? signal.reason : failed(url, 'could not be fetched', cause);
    } finally {
      clearTimeout(timer);
    }
  }

  #body(response: Response, url: string, start: number, end: number, wanted?: Wanted) {
    const version = etagOf(response) ?? response.headers.get('last-modified') ?? undefined;
    return { version, bytes: body(response, url, start, end, this.#reading, wanted) };
  }
}

/** A compressed answer's is another. */
const etagOf = ({ headers }: Response) => headers.get('etag')?.replace(/^W\/|-gzip(?="$)/g, '');

/** Bytes of an answer as its header says; undefined where that is not the number that will be delivered. */
function lengthOf(response: Response): number | undefined {
  const length = response.headers.get('content-length');
  const encoded = (response.headers.get('content-encoding') ?? 'identity') !== 'identity';
  return length === null || encoded ? undefined : Number(length);
}

/** Milliseconds that a server asks to wait: its header has seconds or a date. */
function retryAfter(response: Response): number | undefined {
  const given = response.headers.get('retry-after');
  if (given === null) return undefined;
  const wait = /^\d+$/.test(given) ? Number(given) * 1000 : Date.parse(given) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

/** How answers are read: milliseconds that nothing may come, and whether one was cut off. */
interface Reading {
  patience: number;
  isCut: boolean;
}

/** Memory for at most so many bytes, the first of its buffer, which nobody reads any more. */
export type Room = (most: number) => Uint8Array<ArrayBuffer>;

interface Wanted {
  room?: Room | undefined;
  /** Bytes that the answer promised. */
  length?: number | undefined;
}

const freshRoom: Room = (most) => new Uint8Array(Math.min(most, fillBytes));

/** Bytes [start, end) of an answer; an error if it ends before the `length` it promised, or stalls. */
async function* body(
  response: Response,
  url: string,
  start: number,
  end: number,
  reading: Reading,
  { room = freshRoom, length }: Wanted = {},
): Bytes {
  const answer = new Answer(response, reading);
  let position = 0;
  try {
    while (position < end) {
      const most = Math.min(end, length ?? end) - position;
      const chunk = await answer.next(most, room).catch((cause: unknown) => {
        reading.isCut = true;
        throw failed(url, `was cut off after ${position} bytes`, cause);
      });
      if (!chunk) break;
      const from = Math.max(0, start - position);
      const part = chunk.subarray(from, end - position);
      position += chunk.length;
      if (part.length > 0) yield part;
    }
    if (position < Math.min(end, length ?? 0)) throw failed(url, `ended after ${position} of ${length} bytes`);
  } finally {
    answer.cancel();
  }
}

/** What comes of an answer: where browsers fill memory of ours, in less than half the time of chunks that are theirs. */
class Answer {
  readonly #filling: ReadableStreamBYOBReader | undefined;
  readonly #taking: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  readonly #patience: Queue;

  constructor({ body }: Response, { patience, isCut }: Reading) {
    this.#patience = new Queue(patience, 'nothing came');
    try {
      if (!isCut) this.#filling = body?.getReader({ mode: 'byob' }); // when it is cut off, what it was filling is lost
    } catch {
      // Older browsers, and streams that a caller's fetch made, have none.
    }
    if (!this.#filling) this.#taking = body?.getReader();
  }

  /** The next bytes, at most `most` of them where that can be chosen; undefined at the end. */
  async next(most: number, room: Room): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!this.#filling) return this.#taking && (await this.#patience.within(this.#taking.read())).value;
    let given = most > 0 ? room(most) : new Uint8Array(1); // after the last of them its end is read
    const { length } = given;
    for (let filled = 0; ; ) {
      const { value } = await this.#patience.within(this.#filling.read(given.subarray(filled)));
      if (value) given = new Uint8Array(value.buffer, 0, length); // it went to the browser and came back
      filled += value?.length ?? 0;
      if (filled === length) return given;
      if (!value?.length) return filled > 0 ? given.subarray(0, filled) : undefined;
    }
  }

  cancel(): void {
    (this.#filling ?? this.#taking)?.cancel().catch(() => {});
  }
}

function failed(url: string, what: string, cause?: unknown): VitrineError {
  const reason = reasonOf(cause);
  const hint = 'Check the connection and the address, and that its server allows other sites to read it (CORS).';
  return new VitrineError('network', `${shown(url)} ${what}${reason ? `: ${reason}` : ''}.`, { hint, cause });
}

/** Why a fetch failed; Node hides it one deeper. */
function reasonOf(cause: unknown): string | undefined {
  const inner = cause instanceof Error ? cause : undefined;
  return inner?.cause instanceof Error ? inner.cause.message : inner?.message;
}

/** An address as a message shows it: `data:` URLs hold whole files. */
export const shown = (url: string): string => (url.length > 300 ? `${url.slice(0, 100)}...` : url);
