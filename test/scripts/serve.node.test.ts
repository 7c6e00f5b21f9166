import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve } from '../../scripts/serve.mjs';

const outside = mkdtempSync(join(tmpdir(), 'vitrine-serve-'));
const folder = mkdtempSync(join(outside, 'site-'));
let site: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  writeFileSync(join(outside, 'secret.txt'), 'secret');
  writeFileSync(join(folder, 'index.html'), '<p>page</p>');
  writeFileSync(join(folder, 'ten.bin'), '0123456789');
  writeFileSync(join(folder, 'kernel.wasm'), '');
  site = await serve(folder);
});

afterAll(async () => {
  await site.close();
  rmSync(outside, { recursive: true });
});

const get = (path: string, range?: string) => fetch(site.url + path, range ? { headers: { range } } : {});

test('a folder answers with its index, isolated and with its type', async () => {
  const response = await get('');
  expect(await response.text()).toBe('<p>page</p>');
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('cross-origin-opener-policy')).toBe('same-origin');
  expect(response.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
  expect((await get('kernel.wasm')).headers.get('content-type')).toBe('application/wasm');
});

test.each([
  ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
  ['bytes=7-', 206, '789', 'bytes 7-9/10'],
  ['bytes=-3', 206, '789', 'bytes 7-9/10'],
  ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
  ['bytes=10-', 416, '', 'bytes */10'],
  [undefined, 200, '0123456789', null],
])('range %s', async (range, status, body, contentRange) => {
  const response = await get('ten.bin', range);
  expect(response.status).toBe(status);
  expect(await response.text()).toBe(body);
  expect(response.headers.get('content-range')).toBe(contentRange);
});

test.each(['none.txt', '%2e%2e/secret.txt', '..%2fsecret.txt', '%zz'])('%s is not found', async (path) => {
  expect((await get(path)).status).toBe(404);
});

test('a taken port gives way to the next one', async () => {
  const port = Number(new URL(site.url).port);
  const second = await serve(folder, port);
  expect(Number(new URL(second.url).port)).toBeGreaterThan(port);
  await second.close();
});
