// The benchmark's TypeScript, for browsers and Node 20: counting-device.ts and bandwidth.ts as modules in .cache/bench/lib.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformWithOxc } from 'vite';

const here = import.meta.dirname;
/** From the root. */
export const compiledFolder = '.cache/bench/lib';

export async function compile() {
  const folder = join(here, '..', compiledFolder);
  mkdirSync(folder, { recursive: true });
  for (const name of ['counting-device', 'bandwidth']) {
    const path = join(here, `${name}.ts`);
    const { code } = await transformWithOxc(readFileSync(path, 'utf8'), path);
    writeFileSync(join(folder, `${name}.mjs`), code);
  }
}
