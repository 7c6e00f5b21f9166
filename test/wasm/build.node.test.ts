import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { hex as plain } from '../../src/wasm/binary-plain.ts';
import { hex as relaxed } from '../../src/wasm/binary-relaxed.ts';

const root = join(import.meta.dirname, '../..');

test('each build stays below 40 kB', () => {
  expect(Math.max(plain.length, relaxed.length) / 2).toBeLessThan(40_000); // hexadecimal, as they are in the bundle
  expect(Buffer.from(relaxed, 'hex').length).toBeGreaterThan(5000);
});

/** A process of its own that runs the backend with three threads. */
const script = `
  import { createServer } from 'vite';
  const options = { middlewareMode: true, ws: false, watch: null };
  const server = await createServer({ configFile: false, logLevel: 'error', appType: 'custom', server: options });
  const { createWasmBackend } = await server.ssrLoadModule('./src/wasm/backend.ts');
  const backend = await createWasmBackend({ threads: 3 });
  await server.close();
  if (process.argv[1] === 'dispose') backend.dispose();
  console.log('done');`;

test.each(['dispose', 'leave'])('threads do not keep Node running (%s)', async (what) => {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script, what], {
    cwd: root,
    timeout: 200_000,
  });
  expect(stdout.trim()).toBe('done');
});
