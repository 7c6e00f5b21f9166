import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { readConfig } from '../../src/model/config.ts';
import { Fields } from '../../src/model/fields.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { type Header, lengthBytes } from './tiny-checkpoint.ts';

export const gpt2Xl = { n_embd: 1600, n_layer: 48, n_head: 25, n_positions: 1024, vocab_size: 50257 };

export interface NoiseServer {
  /** Of the folder. */
  url: string;
  /** Of all weights. */
  bytes: number;
  close(): Promise<void>;
}

/** A mebibyte of float32 in [-0.05, 0.05), repeated for all weights. */
const noise = new Uint8Array(Float32Array.from({ length: 1 << 18 }, () => (Math.random() - 0.5) / 10).buffer);

/** Serves a GPT-2 of any shape as F32 safetensors in shards, made as they are asked for: nothing of it is stored. */
export async function serveNoise(config: typeof gpt2Xl, shards: number): Promise<NoiseServer> {
  const { weights } = gpt2Plan(readConfig(new Fields(config, '')));
  const bytesOf = ({ rows, columns }: { rows: number; columns: number }) => rows * columns * 4;
  const bytes = weights.reduce((sum, weight) => sum + bytesOf(weight), 0);
  const headers = Array.from({ length: shards }, (): Header => ({}));
  const sizes = headers.map(() => 0);
  const files: Record<string, string> = {};
  let shard = 0;
  for (const weight of weights) {
    const { name, kind, rows, columns, storedTransposed } = weight;
    if (sizes[shard]! + bytesOf(weight) > (bytes / shards) * 1.05 && shard + 1 < shards) shard++;
    const shape = kind === 'vector' ? [columns] : storedTransposed ? [columns, rows] : [rows, columns];
    headers[shard]![name] = {
      dtype: 'F32',
      shape,
      data_offsets: [sizes[shard]!, (sizes[shard] = sizes[shard]! + bytesOf(weight))],
    };
    files[name] = `model-${shard}.safetensors`;
  }
  const texts: Record<string, string> = {
    '/config.json': JSON.stringify(config),
    '/model.safetensors.index.json': JSON.stringify({ metadata: { total_size: bytes }, weight_map: files }),
  };
  const heads = headers.map((header) => {
    const json = new TextEncoder().encode(JSON.stringify(header));
    return Buffer.concat([lengthBytes(json.length), json]);
  });
  const server = createServer((request, response) => {
    response.setHeader('Access-Control-Allow-Origin', '*').setHeader('Access-Control-Allow-Headers', 'Range');
    response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    if (request.method === 'OPTIONS') return void response.end();
    const text = texts[request.url!];
    if (text !== undefined) return void response.end(text);
    const [, index] = /^\/model-(\d+)\.safetensors$/.exec(request.url!) ?? [];
    const head = heads[Number(index)];
    if (!head) return void response.writeHead(404).end();
    const size = head.length + sizes[Number(index)]!;
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = Math.min(size, last ? Number(last) + 1 : size);
    const range = first === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${size}` };
    response.writeHead(first === undefined ? 200 : 206, { ...range, 'Content-Length': end - start });
    pipeline(Readable.from(parts(head, start, end)), response, () => {}); // as fast as they are taken
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    bytes,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Bytes [start, end) of a file that is `head` and then noise. */
function* parts(head: Uint8Array, start: number, end: number): Generator<Uint8Array> {
  for (let at = start; at < end; ) {
    const from = (at - head.length) % noise.length;
    const part = at < head.length ? head.subarray(at, end) : noise.subarray(from, from + end - at);
    at += part.length;
    yield part;
  }
}
