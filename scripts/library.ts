// How the library's modules ask for the scripts of workers: by a literal expression that bundlers know.
import { dirname, relative } from 'node:path/posix';
import type { Plugin } from 'vite';

/** Worker scripts as the source names them -> their files in dist/, whose names stay. */
const scripts: Record<string, string> = { './thread.js': 'thread.js', './worker.ts': 'engine.js' };

/**
 * Writes `new Worker(new URL('./engine.js', import.meta.url), { type: 'module' })` into dist/ as it stands. Vite would put an
 * expression of its own in its place, and every other bundler looks for this one.
 */
export function workerScripts(): Plugin {
  return {
    name: 'worker-scripts',
    enforce: 'pre',
    transform: {
      filter: { id: /\/src\/.*\.ts$/, code: /new Worker\(new URL\('\.\// },
      handler(code, id) {
        const own = id.slice(id.lastIndexOf('/') + 1);
        const text = code
          .replace(/'(\.\/[\w.-]+)'/g, (text, file) => (scripts[file] ? `'dist:${scripts[file]}'` : text))
          .replaceAll(`'${own}'`, `'dist:'`)

          .replaceAll('import.meta.url', 'IMPORT_META_URL');
        return { code: text, map: null }; // lines stay where they are
      },
    },
    // After the minifier: it would write the strings as templates, which not all bundlers read.
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        const { fileName } = chunk;
        const fromHere = (file: string) => relative(dirname(fileName), file).replace(/^(?!\.)/, './');
        chunk.code = chunk.code
          .replace(/(["'`])dist:([\w.-]*)\1/g, (_, __, file) =>
            JSON.stringify(file === '' ? fileName.slice(fileName.lastIndexOf('/') + 1) : fromHere(file)),
          )
          .replaceAll('IMPORT_META_URL', 'import.meta.url');
      }
    },
  };
}

/** Keeps our own sources alone in source maps: those of the packages bundled weigh as much as the rest, GPT-2's vocabulary a megabyte. */
export function ownSourcesOnly(): Plugin {
  return {
    name: 'own-sources-only',
    generateBundle(_, bundle) {
      for (const [name, map] of Object.entries(bundle)) {
        if (map.type !== 'asset' || !name.endsWith('.js.map')) continue;
        const { sources, sourcesContent, ...rest } = JSON.parse(String(map.source)) as Record<string, string[]>;
        const kept = sourcesContent!.map((text, i) => (sources![i]!.includes('node_modules') ? null : text));
        map.source = JSON.stringify({ ...rest, sources, sourcesContent: kept });
        if (kept.some((text) => text)) continue;
        delete bundle[name];
        const chunk = bundle[name.slice(0, -'.map'.length)];
        if (chunk?.type === 'chunk') chunk.code = chunk.code.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
      }
    },
  };
}
