// A small static server for the built page: MIME types, byte ranges (tensors are read by range) and the headers that
// isolate the page, which WebAssembly threads need.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const types = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.wgsl': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};

/** Lets the page use threads and precise timers. */
export const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  // Not credentialless, which WebKit does not know. Models from other hosts come by CORS, which needs no further header.
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const headers = {
  ...isolation,
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
  'Accept-Ranges': 'bytes',
};

/** `bytes=a-b`, `bytes=a-`, `bytes=-n` as [first, last]; undefined: no range asked for; null: cannot be satisfied. */
function byteRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const first = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return first <= last ? [first, last] : null;
}

/** The folder that has an address, and the rest of it: `folders` are mounted below addresses of their own. */
function mount(folder, folders, pathname) {
  const prefix = Object.keys(folders).find((name) => pathname.startsWith(name));
  return prefix === undefined ? [folder, pathname] : [folders[prefix], `/${pathname.slice(prefix.length)}`];
}

async function fileOf(folder, pathname) {
  const path = join(folder, normalize(decodeURIComponent(pathname))); // normalize of an absolute path keeps it inside
  const info = await stat(path);
  if (info.isDirectory()) return fileOf(path, 'index.html');
  return { path, size: info.size, etag: `"${info.size.toString(36)}-${info.mtimeMs.toString(36)}"` };
}

async function answer(folder, { headers: own = {}, folders = {} }, request, response) {
  const sent = Object.fromEntries(Object.entries({ ...headers, ...own }).filter(([, value]) => value !== undefined));
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return response.writeHead(405, { Allow: 'GET, HEAD' }).end();
  let file;
  try {
    file = await fileOf(...mount(folder, folders, new URL(request.url, 'http://localhost').pathname));
  } catch {
    return response.writeHead(404, { ...sent, 'Content-Type': types['.txt'] }).end('Not found\n');
  }
  const { etag } = file;
  if (request.headers['if-none-match'] === etag) return response.writeHead(304, { ...sent, ETag: etag }).end();
  const { range: asked, 'if-range': version = etag } = request.headers;
  const range = byteRange(version === etag ? asked : undefined, file.size);
  if (range === null) return response.writeHead(416, { ...sent, 'Content-Range': `bytes */${file.size}` }).end();
  const [first, last] = range ?? [0, file.size - 1];
  response.writeHead(range ? 206 : 200, {
    ...sent,
    ETag: etag,
    'Content-Type': types[extname(file.path)] ?? 'application/octet-stream',
    'Content-Length': last - first + 1,
    ...(range && { 'Content-Range': `bytes ${first}-${last}/${file.size}` }),
  });
  if (request.method === 'HEAD' || file.size === 0) return response.end();
  createReadStream(file.path, { start: first, end: last })
    .on('error', () => response.destroy())
    .pipe(response);
}

/**
 * Serves `folder` on localhost, on `port` or the next free one (0: any).
 * @param {{ headers?: Record<string, string | undefined>, folders?: Record<string, string> }} [more] `headers` beside, or in
 *   place of, the usual ones (undefined: not sent), and other folders by the beginning of their address, as `/models/`
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serve(folder, port = 0, more = {}) {
  const server = createServer((request, response) => void answer(folder, more, request, response));
  for (let attempt = port; ; attempt++) {
    const taken = await new Promise((resolve) => {
      server.once('error', resolve).listen(attempt, 'localhost', () => resolve(undefined));
    });
    server.removeAllListeners('error');
    if (!taken) break;
    if (taken.code !== 'EADDRINUSE' || attempt >= port + 50) throw taken;
  }
  const close = () =>
    new Promise((resolve) => {
      server.close(() => resolve(undefined));
      server.closeAllConnections();
    });
  return { url: `http://localhost:${server.address().port}/`, close };
}
