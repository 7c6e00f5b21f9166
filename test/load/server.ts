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
  close(): Promise<void>;
}

/** Serves files by their path, with ranges, on a port of this machine. */
export async function serve(contents: Contents, misbehave: Misbehave = () => false): Promise<TestServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname).slice(1);
    requests.push(`${request.method} /${path} ${request.headers.range ?? ''}`.trim());
    if (misbehave(request, response)) return;
    const content = contents[path];
    if (content === undefined) {
      response.writeHead(404).end('no such file');
      return;
    }
    const bytes = Buffer.from(content as Uint8Array);
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    if (first === undefined) {
      response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes);
      return;
    }
    const start = Number(first);
    const end = Math.min(bytes.length, last ? Number(last) + 1 : bytes.length);
    if (start >= bytes.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
      return;
    }
    const range = { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}`, 'Content-Length': end - start };
    response.writeHead(206, range).end(bytes.subarray(start, end));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
