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
  #listing: Promise<Listing | undefined> | undefined;
  /** The commit that all files are taken from, once it is known. */
  #commit: string | undefined;

  constructor(id: string, endpoint: string, revision: string, options: HttpOptions) {
    super(id, () => '', options);
    this.pinned = /^[0-9a-f]{40}$/.test(revision);
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
