import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Contents = Record<string, string | Uint8Array>;

/** Answers a request in place of the server; false to let it answer as it should. */
export type Misbehave = (request: IncomingMessage, response: ServerResponse) => boolean | undefined;

export interface TestServer {
  /** Ends in `/`. */
  url: string;
  /** `GET /model.safetensors bytes=0-65535`, one for each request. */
  requests: string[];
  /** Bytes of files that went out. */
  sent: number;
  /** Sends files up to so many bytes of `sent`, and no more until it is told more; all by default. */
  sendUntil(bytes: number): void;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Sends ETags; true by default. */
  etags?: boolean;
}

const hash = (algorithm: string, ...parts: (string | Uint8Array)[]) =>
  parts.reduce((state, part) => state.update(part), createHash(algorithm)).digest('hex');

/** Serves files by their path, with ranges and ETags, to any site, on a port of this machine. */
export async function serve(
  contents: Contents,
  misbehave: Misbehave = () => false,
  { etags = true }: ServeOptions = {},
): Promise<TestServer> {
  const hashes = new WeakMap<Uint8Array, string>();
  const etagOf = (bytes: Uint8Array) => {
    if (!hashes.has(bytes)) hashes.set(bytes, hash('sha1', bytes));
    return `"${hashes.get(bytes)}"`;
  };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname).slice(1);
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Access-Control-Allow-Headers', 'Range, Authorization');
    response.setHeader('Access-Control-Expose-Headers', 'ETag, Content-Range, X-Repo-Commit, X-Linked-ETag');
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    result.requests.push(`${request.method} /${path} ${request.headers.range ?? ''}`.trim());
    if (misbehave(request, response)) return;
    const content = contents[path];
    if (content === undefined) return void response.writeHead(404).end('no such file');
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    if (etags) response.setHeader('ETag', etagOf(typeof content === 'string' ? bytes : content));
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = Math.min(bytes.length, last ? Number(last) + 1 : bytes.length);
    if (first !== undefined && start >= bytes.length) {
      return void response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
    }
    const range = first === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` };
    response.writeHead(first === undefined ? 200 : 206, { ...range, 'Content-Length': end - start });
    void send(response, request.method === 'HEAD' ? new Uint8Array() : bytes.subarray(start, end));
  });
  let allowed = Number.POSITIVE_INFINITY;
  let told = deferred();
  async function send(response: ServerResponse, bytes: Uint8Array): Promise<void> {
    const closed = new Promise((resolve) => response.once('close', resolve));
    // In slices, so that a connection can be cut anywhere, and no faster than they are taken.
    for (let from = 0; from < bytes.length && !response.destroyed; from += 1 << 16) {
      const part = bytes.subarray(from, from + (1 << 16));
      while (result.sent >= allowed && !response.destroyed) {
        await Promise.race([told.promise, closed]);
      }
      result.sent += part.length;
      if (!response.write(part)) {
        await Promise.race([new Promise((resolve) => response.once('drain', resolve)), closed]);
      }
    }
    response.end();
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const result: TestServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests: [],
    sent: 0,
    sendUntil(bytes) {
      allowed = bytes;
      told.resolve();
      told = deferred();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return result;
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

export interface Hub {
  /** What the repository holds at its branch `main`; assign to it for a new commit. */
  files: Contents;
  /** Answers `/api/models/...`, `/ID/resolve/...` and, for large files, `/cdn/...`; to be served with `contents`. */
  answer: Misbehave;
  contents: Contents;
  /** Where `/cdn/` is: here, or the URL of another server. */
  location: string;
  readonly commit: string;
}

/** A repository as a hub has it. `api`: whether it answers its API, as a mirror might not. */
export function hub(id: string, files: Contents, { api = true, token = '' } = {}): Hub {
  const contents: Contents = {};
  const isLarge = (name: string) => name.endsWith('.safetensors');
  const oids = new WeakMap<Uint8Array, string>(); // hashing large files again would hold up all answers
  const oidOf = (name: string, bytes: Uint8Array) => {
    const known = oids.get(bytes);
    const oid = known ?? (isLarge(name) ? hash('sha256', bytes) : hash('sha1', `blob ${bytes.length}\0`, bytes));
    oids.set(bytes, oid);
    return oid;
  };
  const bytesOf = (name: string) => {
    const content = repository.files[name]!;
    return typeof content === 'string' ? Buffer.from(content) : content;
  };
  const repository: Hub = {
    files,
    contents,
    location: '/',
    get commit() {
      return hash('sha1', ...Object.keys(repository.files).map((name) => oidOf(name, bytesOf(name))));
    },
    answer(request, response) {
      const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname).slice(1);
      if (path.startsWith('cdn/')) return false;
      if (token && request.headers.authorization !== `Bearer ${token}`) return !!response.writeHead(401).end();
      const { commit } = repository;
      response.setHeader('X-Repo-Commit', commit);
      if (api && (path === `api/models/${id}/revision/main` || path === `api/models/${id}/revision/${commit}`)) {
        const siblings = Object.keys(repository.files).map((rfilename) => {
          const bytes = bytesOf(rfilename);
          const oid = oidOf(rfilename, bytes);
          const kind = isLarge(rfilename) ? { blobId: hash('sha1', oid), lfs: { sha256: oid } } : { blobId: oid };
          return { rfilename, size: bytes.length, ...kind };
        });
        response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ sha: commit, siblings }));
        return true;
      }
      const name = [`${id}/resolve/main/`, `${id}/resolve/${commit}/`].find((base) => path.startsWith(base));
      const file = name && path.slice(name.length);
      if (!file || repository.files[file] === undefined) return !!response.writeHead(404).end('Entry not found');
      const bytes = bytesOf(file);
      const oid = oidOf(file, bytes);
      contents[`cdn/${oid}`] = bytes;
      response.setHeader('X-Linked-ETag', `"${oid}"`).setHeader('X-Linked-Size', bytes.length);
      return !!response.writeHead(302, { Location: `${repository.location}cdn/${oid}` }).end();
    },
  };
  return repository;
}
