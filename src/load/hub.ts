import { VitrineError } from '../plan/error.ts';
import { addressOf } from './address.ts';
import { isObject } from './files.ts';
import { type Description, HttpFiles, type HttpOptions } from './http.ts';

/** A repository as it is at one commit. */
interface Listing {
  commit: string;
  files: ReadonlyMap<string, Description>;
}

const isHash = (text: unknown): text is string =>
  typeof text === 'string' && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/**
 * The files of a hub's repository at a branch, tag or commit. The hub's API names the commit, all files, their sizes
 * and hashes in one answer that browsers may read. The header `x-linked-etag` says the same of one file, but on the
 * redirect to where the file lies, which browsers keep to themselves; it serves where a mirror has no API.
 * Documentation: https://huggingface.co/docs/hub/api
 */
export class HubFiles extends HttpFiles {
  override readonly pinned: boolean;
  protected override readonly isMirrored = true;
  readonly #api: string;
  readonly #base: string;
  readonly #revision: string;
  /** Where people read about the model, and accept its licence. */
  readonly #page: string;
  readonly #hasToken: boolean;
  #listing: Promise<Listing | undefined> | undefined;
  /** The commit that all files are taken from, once it is known. */
  #commit: string | undefined;

  constructor(id: string, endpoint: string, revision: string, options: HttpOptions) {
    super(id, () => '', options);
    this.pinned = /^[0-9a-f]{40}$/.test(revision);
    this.#page = `${endpoint}/${id}`;
    this.#hasToken = options.headers?.Authorization !== undefined;
    this.#base = `${endpoint}/${id}/resolve/`;
    this.#api = `${endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
    this.#revision = revision;
  }

  override urlOf(file: string): string {
    return `${this.#base}${encodeURIComponent(this.#commit ?? this.#revision)}/${file}`;
  }

  override async describe(file: string, signal?: AbortSignal, anew = false): Promise<Description | undefined> {
    if (anew) {
      this.#listing = undefined;
      this.forget(file);
    }
    const listing = await this.#listed(signal);
    if (listing) return listing.files.get(file);
    return (await this.#head(file, signal)) ?? super.describe(file, signal);
  }

  override async list(signal?: AbortSignal): Promise<string[] | undefined> {
    const listing = await this.#listed(signal);
    return listing && [...listing.files.keys()];
  }

  /** Mirrors on S3 answer 403 for what is absent: where nothing else is known, it is a refusal if the model cannot do without. */
  protected override refusal({ status, headers }: Response): VitrineError | undefined {
    if (status !== 401 && status !== 403) return undefined;
    const code = headers.get('x-error-code');
    if (code === 'RepoNotFound') return this.#closed(status, 'is private, or there is no such model');
    if (status === 401 || code === 'GatedRepo' || this.#commit !== undefined) return this.#closed(status);
    return undefined;
  }

  override missing(file: string): VitrineError {
    return this.whyAbsent(file) === 'answered 403' ? this.#closed(403) : super.missing(file);
  }

  #closed(status: number, what = 'is gated'): VitrineError {
    const isGated = what === 'is gated';
    const who = this.#hasToken ? 'the token that was given' : 'whoever comes without a token';
    const accept = isGated ? `Accept its licence at ${this.#page}` : 'Check the name';
    const then = this.#hasToken
      ? 'see that the token is yours and may read such models'
      : `pass an access token of yours: load('${this.name}', { token })`;
    return new VitrineError('network', `${this.#page} ${what}: the hub answered ${status} to ${who}.`, {
      hint: `${accept}, then ${then}.`,
      ...(isGated && { page: this.#page }),
    });
  }

  /** The listing, asked for once. */
  async #listed(signal: AbortSignal | undefined): Promise<Listing | undefined> {
    this.#listing ??= this.#list(signal);
    const listing = await this.#listing.catch((error: unknown) => {
      this.#listing = undefined;
      throw error;
    });
    this.#commit = listing?.commit;
    return listing;
  }

  /** Undefined where there is no such API. Whatever is wrong with the repository shows when a file is asked for. */
  async #list(signal: AbortSignal | undefined): Promise<Listing | undefined> {
    const response = await this.request(this.#api, {}, signal);
    const json: unknown = await response.json().catch(() => undefined);
    signal?.throwIfAborted();
    if (!response.ok || !isObject(json) || !isHash(json.sha) || !Array.isArray(json.siblings)) return undefined;
    const files = new Map<string, Description>();
    for (const { rfilename, size, blobId, lfs } of json.siblings) {
      const oid: unknown = lfs?.sha256 ?? lfs?.oid ?? blobId;
      if (!isHash(oid) || !Number.isSafeInteger(size)) return undefined;
      files.set(rfilename, { size, version: oid, oid });
    }
    return { commit: json.sha, files };
  }

  /** What the hub's own answer says before it sends the reader elsewhere; undefined in browsers. */
  async #head(file: string, signal: AbortSignal | undefined): Promise<Description | undefined> {
    const { headers } = await this.request(this.urlOf(file), { method: 'HEAD', redirect: 'manual' }, signal);
    const oid = headers.get('x-linked-etag')?.replace(/^(W\/)?"|"$/g, '');
    const size = headers.get('x-linked-size');
    if (!isHash(oid)) return undefined;
    return { version: oid, oid, ...(size !== null && { size: Number(size) }) };
  }
}

const hub = 'https://huggingface.co';

/** A repository's files by its id, and the name that they are kept by. */
export function locateOnHub(
  id: string,
  { endpoint = hub, revision = 'main', token }: { endpoint?: string; revision?: string; token?: string },
  http: HttpOptions,
) {
  const base = addressOf(endpoint).replace(/\/+$/, '');
  const headers: HttpOptions['headers'] = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const from = base === hub ? id : `${base}/${id}`;
  const files = new HubFiles(id, base, revision, { ...http, headers });
  return { files, name: revision === 'main' ? from : `${from}@${revision}` };
}
