import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { plain, relaxed } from '../../src/wasm/binary.ts';

const root = join(import.meta.dirname, '../..');

test('both builds together stay below 60 kB', () => {
  expect(plain.length + relaxed.length).toBeLessThan(60_000); // as base64, as they are in the bundle
  expect(Buffer.from(relaxed, 'base64').length).toBeGreaterThan(5000);
});

/** A process of its own that runs the backend with three threads. */
const script = `
  import { runnerImport } from 'vite';
  const { module } = await runnerImport('./src/wasm/backend.ts', { configFile: false, logLevel: 'error' });
  const backend = await module.createWasmBackend({ threads: 3 });
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
