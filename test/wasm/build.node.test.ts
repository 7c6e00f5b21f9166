import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { plain, relaxed } from '../../src/wasm/binary.ts';

const root = join(import.meta.dirname, '../..');

test('both builds together stay below 60 kB', () => {
  expect(plain.length + relaxed.length).toBeLessThan(60_000); // as base64, as they are in the bundle
  expect(Buffer.from(relaxed, 'base64').length).toBeGreaterThan(5000);
});

test('the compiler writes the fields of a step in the order in which the kernels read them', () => {
  const kernels = readFileSync(join(root, 'src/wasm/kernels/step.ts'), 'utf8');
  const compiler = readFileSync(join(root, 'src/wasm/lower.ts'), 'utf8');
  const read = /class Step \{(.*?)\n\}/s.exec(kernels)![1]!.matchAll(/^ {2}(\w+): \w+;/gm);
  const written = /const fields = \[(.*?)\]/s.exec(compiler)![1]!.matchAll(/'(\w+)'/g);
  expect([...written].map((match) => match[1])).toEqual([...read].map((match) => match[1]));
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
