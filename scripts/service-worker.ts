// The page's service worker: built beside the page, with the list of what it keeps of the build put before it.
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Plugin } from 'vite';
import type { Build } from '../src/page/service-worker.ts';

const script = 'service-worker.js';
/** What no visitor's page asks for. */
const unused = /\.(map|md)$|\/reference\.json$/;
/** Models that a visitor has yet to open: only the one that writes is kept from the first. */
const onDemand = /^models\/(?!tiny-tales\/)/;

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('base64');

async function listBuild(folder: string): Promise<Build> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: Record<string, string> = {};
  for (const entry of entries.filter((found) => found.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).replaceAll('\\', '/');
    if (name !== script && !unused.test(name) && !onDemand.test(name))
      files[name] = `sha256-${sha256(await readFile(path))}`;
  }
  return { version: sha256(JSON.stringify(files)), files };
}

export function serviceWorker(): Plugin {
  let root = '';
  return {
    name: 'service-worker',
    apply: 'build',
    config: () => ({
      build: {
        rolldownOptions: {
          input: { index: 'index.html', 'service-worker': 'src/page/service-worker.ts' },
          output: {
            // Its address is what browsers know it by, so it stays the same.
            entryFileNames: ({ name }) => (name === 'service-worker' ? script : 'assets/[name]-[hash].js'),
          },
        },
      },
    }),
    configResolved(config) {
      root = config.root;
    },
    async writeBundle({ dir = '' }) {
      const folder = resolve(root, dir);
      const path = join(folder, script);
      const code = await readFile(path, 'utf8');
      await writeFile(path, `self.BUILD=${JSON.stringify(await listBuild(folder))};\n${code}`);
    },
  };
}
