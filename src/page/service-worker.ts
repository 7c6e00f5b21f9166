/// <reference lib="webworker" />

/**
 * Serves the page from a cache, so that it works without a network. A build is kept whole or not at all, but for models that
 * are yet to be opened: every file is held against the hash it had when it was built, and a new build waits until no tab
 * shows the old one (offline.ts). Built into one classic script without imports; scripts/service-worker.ts puts the list of files before it.
 */

/** What was built, and is kept. */
export interface Build {
  /** A hash of all files. */
  version: string;
  /** Path below the page -> its sha256, as in Subresource Integrity. */
  files: Record<string, string>;
}

declare const BUILD: Build;

const worker = self as unknown as ServiceWorkerGlobalScope;
const { scope } = worker.registration;
const prefix = `vitrine-page ${scope} `; // several copies of the page may share an origin
const current = prefix + BUILD.version;
const folders = new Set(Object.keys(BUILD.files).map(folderOf).filter(Boolean));

/** As scripts/serve.mjs sends them: hosts of static pages often cannot, and WebAssembly threads need them. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

worker.oninstall = (event) => event.waitUntil(Promise.all(Object.keys(BUILD.files).map(keep)));

worker.onmessage = (event) => {
  if (event.data === 'take over') void worker.skipWaiting();
  // Asked for when the activation is over, and not waited for: in Firefox claiming may wait for workers that compute, and an
  // activation that waits for it answers no fetch.
  if (event.data === 'claim') void worker.clients.claim();
  if (event.data === 'drop others') event.waitUntil(dropOthers());
};

worker.onfetch = (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || !url.href.startsWith(scope)) return;
  const path = decodeURI(url.pathname.slice(new URL(scope).pathname.length)) || 'index.html';
  if (Object.hasOwn(BUILD.files, path)) event.respondWith(serve(path, request));
  else if (folders.has(folderOf(path))) event.respondWith(serveOther(request));
};

/** Puts a file into this build's cache; an earlier build may have had the same. */
async function keep(path: string): Promise<void> {
  const key = keyOf(path);
  const cache = await caches.open(current);
  await cache.put(key, (await caches.match(key)) ?? (await download(path)));
}

/** @throws TypeError if the file does not come, or is not of this build */
async function download(path: string): Promise<Response> {
  // Hosts redirect index.html to its folder, and browsers refuse to show a page that was redirected.
  const url = new URL(path === 'index.html' ? './' : path, scope);
  const response = await fetch(url, { integrity: BUILD.files[path], cache: 'no-cache' });
  if (!response.ok) throw new TypeError(`${url} answered ${response.status}`);
  const bytes = await response.blob();
  return new Response(bytes, {
    headers: { ...isolation, 'Content-Type': bytes.type, 'Content-Length': String(bytes.size) },
  });
}

/** A file as it is kept, or the part that is asked for; from the network if the cache was cleared. */
async function serve(path: string, request: Request): Promise<Response> {
  const kept = await (await caches.open(current)).match(keyOf(path));
  if (!kept) return fetch(request);
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get('range') ?? '') ?? [];
  if (first === undefined) return kept;
  const bytes = await kept.blob();
  const start = Number(first);
  const end = Math.min(bytes.size, last ? Number(last) + 1 : bytes.size);
  if (start >= end) return new Response(null, { status: 416, headers: { 'Content-Range': `bytes */${bytes.size}` } });
  const headers = new Headers(kept.headers);
  headers.set('Content-Range', `bytes ${start}-${end - 1}/${bytes.size}`);
  headers.set('Content-Length', String(end - start));
  return new Response(bytes.slice(start, end), { status: 206, headers });
}

/**
 * A file that this build has not, beside those that it has: an earlier build's, for a page that was open before this
 * one took over; or the network's. Without a network it is none.
 */
async function serveOther(request: Request): Promise<Response> {
  const kept = await caches.match(request, { ignoreSearch: true });
  return kept ?? fetch(request).catch(() => new Response('Not found', { status: 404 }));
}

/** Called when no page shows another build. One that is being fetched is not dropped. */
async function dropOthers(): Promise<void> {
  if (worker.registration.installing || worker.registration.waiting) return;
  const others = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== current);
  await Promise.all(others.map((name) => caches.delete(name)));
}

/** The same for the same bytes in every build. */
function keyOf(path: string): string {
  return new URL(`${encodeURI(path)}?${BUILD.files[path]}`, scope).href;
}

/** `''` for a file beside the page itself. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}
