import { VitrineError } from '../plan/error.ts';
import { type Bytes, type Files, type OpenFile, untilAborted } from './files.ts';

/** Answers that mean "no such file": S3 and the like say 403 for it. */
const absent = [403, 404, 410];

const again = 'Check the name or address, and whether the model is public, or try again later.';

/** Files behind URLs, read by range where the server can. */
export class HttpFiles implements Files {
  readonly name: string;
  readonly #urlOf: (file: string) => string;
  readonly #fetch: typeof fetch;
  /** Why a file was taken for absent. */
  readonly #refusals = new Map<string, string>();

  constructor(name: string, urlOf: (file: string) => string, fetcher: typeof fetch = globalThis.fetch) {
    this.name = name;
    this.#urlOf = urlOf;
    this.#fetch = fetcher;
  }

  async open(file: string, start: number, end: number, signal?: AbortSignal): Promise<OpenFile | undefined> {
    const url = this.#urlOf(file);
    const whole = start === 0 && end === Number.POSITIVE_INFINITY;
    const response = await this.#request(url, whole ? {} : { Range: `bytes=${start}-${end - 1}` }, signal);
    const { status } = response;
    const given = response.headers.get('content-range') ?? ''; // `bytes 0-99/1234`, where it can be read
    const [, first, last, total] = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(given) ?? [];
    if (status === 416 && total === '0') return { size: 0, bytes: body(response, url, 0, 0) };

    const html = response.ok && /^text\/html\b/i.test(response.headers.get('content-type') ?? '');
    const misplaced = first !== undefined && Number(first) !== start;
    if (!response.ok || html || misplaced) await response.body?.cancel();
    if (absent.includes(status) || html) {
      this.#refusals.set(file, html ? 'answered with a web page (text/html)' : `answered ${status}`);
      return undefined;
    }
    if (!response.ok) {
      const words = `${status} ${response.statusText}`.trim();
      throw new VitrineError('network', `${url} answered ${words} instead of the file.`, { hint: again });
    }
    if (misplaced) throw failed(url, `answered with ${given} when asked for ${start}-${end - 1}`);
    if (status === 206) {
      const length = last === undefined ? lengthOf(response) : Number(last) + 1 - start;
      const size = total === undefined ? undefined : Number(total);
      return { size, bytes: body(response, url, 0, end - start, length) };
    }
    // Without a range, browsers ask for compressed answers and check the length themselves.
    const size = whole ? undefined : lengthOf(response);
    return { size, bytes: body(response, url, start, end, size), sequential: true };
  }

  missing(file: string): VitrineError {
    const why = this.#refusals.get(file) ?? 'is not there';
    const message = `${this.#urlOf(file)} ${why}: ${this.name} has no ${file}.`;
    return new VitrineError('network', message, { hint: again });
  }

  async #request(url: string, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<Response> {
    const fetcher = this.#fetch; // a method call would hand window.fetch a wrong `this`
    try {
      return await untilAborted(fetcher(url, { headers, ...(signal && { signal }) }), signal);
    } catch (cause) {
      throw signal?.aborted ? signal.reason : failed(url, 'could not be fetched', cause);
    }
  }
}

/** Bytes of an answer as its header says; undefined where that is not the number that will be delivered. */
function lengthOf(response: Response): number | undefined {
  const length = response.headers.get('content-length');
  const encoded = (response.headers.get('content-encoding') ?? 'identity') !== 'identity';
  return length === null || encoded ? undefined : Number(length);
}

/** Bytes [start, end) of an answer; an error if it ends before the `length` it promised. */
async function* body(response: Response, url: string, start: number, end: number, length?: number): Bytes {
  const reader = response.body?.getReader();
  let position = 0;
  try {
    while (position < end) {
      const chunk = await reader?.read().catch((cause: unknown) => {
        throw failed(url, `was cut off after ${position} bytes`, cause);
      });
      if (!chunk || chunk.done) break;
      const from = Math.max(0, start - position);
      const part = chunk.value.subarray(from, end - position);
      position += chunk.value.length;
      if (part.length > 0) yield part;
    }
    if (position < Math.min(end, length ?? 0)) throw failed(url, `ended after ${position} of ${length} bytes`);
  } finally {
    reader?.cancel().catch(() => {});
  }
}

function failed(url: string, what: string, cause?: unknown): VitrineError {
  const inner = cause instanceof Error ? cause : undefined;
  const reason = inner?.cause instanceof Error ? inner.cause.message : inner?.message; // Node hides the reason one deeper
  const hint = 'Check the connection and the address, and that its server allows other sites to read it (CORS).';
  return new VitrineError('network', `${url} ${what}${reason ? `: ${reason}` : ''}.`, { hint, cause });
}
