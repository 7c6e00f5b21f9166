import { badOption } from '../plan/error.ts';
import { isNode } from '../plan/host.ts';
import { part } from '../plan/part.ts';
import { addressOf, textOf } from './address.ts';
import type { CacheStore } from './cache-store.ts';
import type { Files } from './files.ts';
import { type Fetch, HttpFiles, type HttpOptions, shown } from './http.ts';

/**
 * Where a model is: a hub id (`'openai-community/gpt2'`), the URL of a folder (ends in `/`) or of one weight file, the
 * file or files themselves, or a path that begins with `./`, `../` or `/` - in Node on disk, in a browser an address
 * relative to the page (or to the worker that loads it). `file:` is on disk in Node too.
 */
export type Source = string | URL | Blob | ArrayLike<Blob>;

export interface SourceOptions {
  /** Branch, tag or commit of a hub model; `main` by default. */
  revision?: string;
  /** The hub's address; `https://huggingface.co` by default. */
  endpoint?: string;
  /** The hub's access token, for models that are not public. It is sent to no other address. */
  token?: string;
  /**
   * Where what is downloaded is kept (docs/loading.md). `'opfs'`, in browsers the default: the origin private file
   * system, the Cache API where there is none, in Node a folder. `false`, in Node the default: nowhere. Or a store.
   */
  cache?: 'opfs' | false | CacheStore;
  /** Used in place of the platform's fetch. */
  fetch?: Fetch;
}

interface LocateOptions extends SourceOptions {
  /** Files changed while they were read: what the browser's own cache has of them may be old. */
  anew?: boolean;
}

/** The files of a source, and the weight file among them where the source names one. */
export interface Located {
  files: Files;
  weights?: string;
}

const hubPart = () => part('What reads a hub', () => import('./hub.ts'));
const cachePart = () => part('The cache of downloads', () => import('./cache.ts'));
const diskPart = () => part('What reads disks', () => import('./disk.ts'));
const blobsPart = () => part('What reads files at hand', () => import('./blobs.ts'));

const weightFile = /\.(safetensors|gguf|bin|pt|pth|ckpt|h5|onnx)$/i;

/** Schemes whose addresses hold one file without a name: only as GGUF is that a model. */
const nameless = /^(blob|data):/i;
const onDisk = /^([/.]|file:|[a-z]:[\\/])/i;
/** Those, what browsers have for extensions and apps (`chrome-extension://`, `app://`), but not what no fetch can reach. */
const fetchable = /^(?:https?|file|blob|data):|^(?!(?:ftps?|sftp|wss?|about|s3|gs|hf):)[a-z][a-z\d+.-]+:\/\//i;

/** @throws VitrineError `bad-option` for what is no source, `bad-checkpoint` for a path or list without a model */
export async function locate(source: Source, options: LocateOptions = {}): Promise<Located> {
  const given = textOf(source);
  const text = given === undefined ? 'a list of files' : addressOf(given);
  const isUrl = fetchable.test(text) && URL.canParse(text);
  const isPath = isNode() && onDisk.test(text);
  if (given === undefined || isUrl || isPath) refuseHubOptions(text, options);
  if (given === undefined) return (await blobsPart()).locateBlobs(source);
  if (isPath) return (await diskPart()).locateOnDisk(text);
  if (isUrl && nameless.test(text)) {
    return { files: new HttpFiles(shown(text), () => text, httpOptions(options)), weights: 'model.gguf' };
  }
  if (isUrl) return locateUrl(new URL(text), options);
  if (!/^\w[\w.-]*(\/\w[\w.-]*)?$/.test(text) || weightFile.test(text)) {
    const hint = 'A path begins with ./ or /, a URL with https://, and a hub id reads owner/name.';
    throw badOption(`The source ${JSON.stringify(text)} is neither a hub id, a URL nor a path.`, hint);
  }
  const { files, name } = (await hubPart()).locateOnHub(text, options, httpOptions(options));
  return { files: await cached(files, name, options) };
}

/** What only a hub has, and would be ignored. */
function refuseHubOptions(source: string, options: SourceOptions): void {
  for (const name of ['revision', 'endpoint', 'token'] as const) {
    if (options[name] === undefined) continue;
    throw badOption(`The option ${name} is for hub ids, and the source is ${source}.`, 'A hub id reads owner/name.');
  }
}

async function locateUrl(url: URL, options: LocateOptions): Promise<Located> {
  const http = httpOptions(options);
  const urlOf = (file: string) => new URL(file, url).href;
  const name = url.origin + url.pathname; // a query may hold a signature, which is another each time
  if (url.pathname.endsWith('/')) return { files: await cached(new HttpFiles(url.href, urlOf, http), name, options) };
  const weights = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  if (!weightFile.test(weights)) {
    const hint = 'The URL of a folder ends in /.';
    throw badOption(`The source ${url.href} is neither a folder nor a .safetensors or .gguf file.`, hint);
  }
  // The URL itself may be signed: only its siblings are named anew.
  const files = new HttpFiles(url.href, (file) => (file === weights ? url.href : urlOf(file)), http);
  return { files: await cached(files, name, options), weights };
}

const cacheOf = ({ cache = isNode() ? false : 'opfs' }: SourceOptions) => cache;

/** What is kept here, the browser's cache need not keep too; it would also let requests for one file wait in line. */
function httpOptions(options: LocateOptions): HttpOptions {
  const cache = cacheOf(options) !== false ? 'no-store' : options.anew ? 'no-cache' : undefined;
  return { fetch: options.fetch, ...(cache && { cache }) };
}

/** The files through the cache that the options ask for. `name`: the model's, in the cache. What is at hand is not copied. */
async function cached(files: HttpFiles, name: string, options: SourceOptions): Promise<Files> {
  const cache = cacheOf(options);
  if (cache === false || files.isLocal) return files;
  const { CachedFiles } = await cachePart();
  return new CachedFiles(files, name, cache === 'opfs' ? undefined : cache);
}
