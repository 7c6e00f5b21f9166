import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import { openCheckpoint } from '../../src/load/open.ts';
import { readConfig } from '../../src/model/config.ts';
import { Fields } from '../../src/model/fields.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { isFull } from '../full.ts';
import { type Header, lengthBytes } from './tiny-checkpoint.ts';

/** GPT-2 small; by day two of its layers, with its table of words more than twice of what loading may take. */
const gpt2Small = { n_embd: 768, n_layer: isFull ? 12 : 2, n_head: 12, n_positions: 1024, vocab_size: 50257 };
const megabyte = 2 ** 20;

let folder: string;
let largest = 0;

/** A real header, and zeros in F32 that take no room on disk. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gpt2-small-'));
  const header: Header = {};
  let end = 0;
  for (const { name, kind, rows, columns, storedTransposed } of gpt2Plan(readConfig(new Fields(gpt2Small, '')))
    .weights) {
    const shape = kind === 'vector' ? [columns] : storedTransposed ? [columns, rows] : [rows, columns];
    header[name] = { dtype: 'F32', shape, data_offsets: [end, (end += rows * columns * 4)] };
    largest = Math.max(largest, rows * columns * 4);
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  await writeFile(join(folder, 'config.json'), JSON.stringify(gpt2Small));
  const file = await open(join(folder, 'model.safetensors'), 'w');
  await file.write(lengthBytes(json.length));
  await file.write(json);
  await file.truncate(8 + json.length + end);
  await file.close();
});

afterAll(() => rm(folder, { recursive: true }));

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** JavaScript's heap and array buffers, in bytes. */
function used(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test.each(['disk', 'server'])('hundreds of MB from %s take little memory', async (from) => {
  const server = from === 'server' ? await serve(folder) : undefined;
  const checkpoint = await openCheckpoint(server?.url ?? folder);
  collectGarbage(); // of the files that ran before
  const before = used();
  let peak = 0;
  let values = 0;
  const begun = performance.now();
  for (const weight of checkpoint.check(gpt2Plan(checkpoint.config).weights)) {
    for await (const piece of checkpoint.read(weight)) {
      values += piece.length;
      peak = Math.max(peak, used() - before);
    }
  }
  const seconds = (performance.now() - begun) / 1000;
  await server?.close();
  expect(values * 4).toBe(checkpoint.bytes);
  expect(checkpoint.bytes).toBeGreaterThan((isFull ? 474 : 200) * megabyte);
  const figures = [checkpoint.bytes, peak, largest].map((bytes) => (bytes / megabyte).toFixed(0));
  console.log(
    `${figures[0]} MiB from ${from} in ${seconds.toFixed(1)} s: peak ${figures[1]} MiB, largest tensor ${figures[2]}`,
  );
  expect(peak).toBeLessThan(100 * megabyte);
});
