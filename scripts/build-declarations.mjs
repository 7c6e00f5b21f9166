// Makes dist/types: one declaration file for each entry, and one for what they share, so that a class is the same type whichever
// entry it comes from. TypeScript declares each module; what no entry leads to is left out.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';
import { entries } from './entries.mjs';

const root = join(import.meta.dirname, '..');
const target = join(root, 'dist/types');
const folder = mkdtempSync(join(tmpdir(), 'vitrine-types-'));

/**
 * Names of the platform that Node's types, the DOM's or a runtime's own fill in: the declarations compile where none of them
 * are. The library's Symbol.dispose is asked for by name, because `lib: ["ES2022"]` is what most projects have.
 */
const platform = `/// <reference lib="esnext.disposable" />
declare global {
  interface AbortController {}
  interface AbortSignal {}
  interface Blob {}
  interface HTMLCanvasElement {}
  interface HTMLImageElement {}
  interface ImageBitmap {}
  interface ImageData {}
  interface OffscreenCanvas {}
  interface ReadableStream<R = any> {}
  interface Request {}
  interface RequestInit {}
  interface Response {}
  interface URL {}
  interface Worker {}
}
`;

try {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const project = ['-p', join(root, 'tsconfig.declarations.json'), '--outDir', folder];
  if (spawnSync(process.execPath, [tsc, ...project], { stdio: 'inherit' }).status !== 0) {
    throw new Error('The declarations could not be made.');
  }
  const declared = ([name, source]) => [name, join(folder, source.replace(/^src\//, '').replace(/\.tsx?$/, '.d.ts'))];
  rmSync(target, { recursive: true, force: true });
  await build({
    input: Object.fromEntries(Object.entries(entries).map(declared)),
    external: (id) => !/^[./]/.test(id),
    plugins: [dts({ dtsInput: true, emitDtsOnly: true, tsconfig: false })],
    output: { dir: target, chunkFileNames: 'shared/[name].ts' },
    logLevel: 'warn',
    checks: { pluginTimings: false },
  });
  for (const name of readdirSync(target, { recursive: true }).filter((name) => name.endsWith('.d.ts'))) {
    const path = join(target, name);
    // TypeScript before 5.7 has no type of an array's buffer.
    const text = readFileSync(path, 'utf8')
      .replace(/\b(\w+Array)<ArrayBuffer(Like)?>/g, '$1')
      .replace(/^\/\/ .*\.d\.ts\n/gm, ''); // the bundler's notes of where each part was
    writeFileSync(path, name.includes('/') ? text : `${platform}${text}`);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
