// How the library's modules ask for the scripts of workers: by a literal expression that bundlers know.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dirname, relative } from 'node:path/posix';
import { pathToFileURL } from 'node:url';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { build, type Plugin } from 'vite';

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
          .replace(/\{\s*type:\s*`module`\s*\}/g, '{type:"module"}')
          .replaceAll('IMPORT_META_URL', 'import.meta.url');
      }
    },
  };
}

interface SourceMap {
  sources: string[];
  sourcesContent: string[];
  mappings: string;
}

/**
 * Keeps of source maps where each line of our own sources is, so that stacks name file and line, and of the sources themselves
 * empty texts: whole ones would be half of the package, and where there are none, tools look for the files and warn.
 */
export function ownSourcesOnly(): Plugin {
  return {
    name: 'own-sources-only',
    generateBundle(_, bundle) {
      for (const [file, map] of Object.entries(bundle)) {
        if (map.type !== 'asset' || !file.endsWith('.js.map')) continue;
        const { sources, mappings, ...rest } = JSON.parse(String(map.source)) as SourceMap;
        const kept = sources.map((source) => (source.includes('node_modules') ? null : ''));
        const own = decode(mappings).map((segments) => {
          let last = '';
          return segments.flatMap(([column, source, line, from]): [number, number, number, number][] => {
            const isSame = last === `${source} ${line}`;
            last = `${source} ${line}`;
            return isSame || source === undefined || kept[source] === null ? [] : [[column, source, line!, from!]];
          });
        });
        map.source = JSON.stringify({ ...rest, names: [], sources, sourcesContent: kept, mappings: encode(own) });
        if (kept.includes('')) continue;
        delete bundle[file];
        const chunk = bundle[file.slice(0, -'.map'.length)];
        if (chunk?.type === 'chunk') chunk.code = chunk.code.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
      }
    },
  };
}

/** A shader without comments, indentation and blanks that mean nothing. Lines stay where they are: errors of drivers name them. */
export function shortShader(text: string): string {
  return text
    .replace(/[ \t]*\/\/.*$/gm, '')
    .replace(/^[ \t]+/gm, '')
    .replace(/ *([,;:{}()]) */g, '$1')
    .replace(/(?<=[\w)\]]) ?([-+*/%&|^<>=]|[-+*<>=!]=|&&|\|\||<<|>>) ?(?=[\w(])/g, '$1');
}

/** Shaders as short as may be, a third less to fetch. */
export function shortShaders(): Plugin {
  return {
    name: 'short-shaders',
    enforce: 'pre',
    load: {
      filter: { id: /\.wgsl\?raw$/ },
      handler: (id) => `export default ${JSON.stringify(shortShader(readFileSync(id.replace('?raw', ''), 'utf8')))};`,
    },
  };
}

/** Leaves out what asks for Node: scripts of a page that run in browsers alone. */
export function browsersOnly(): Plugin {
  return {
    name: 'browsers-only',
    apply: 'build',
    transform: {
      filter: { id: /\/src\/.*\.tsx?$/, code: /\bisNode\(\)/ },
      handler: (code) => ({ code: code.replace(/(?<!function )\bisNode\(\)/g, 'false'), map: null }),
    },
  };
}

/** GPT-2's vocabulary as one text, a line a token, which is a fifth smaller than a list of strings. */
export function shortVocabulary(): Plugin {
  return {
    name: 'short-vocabulary',
    load: {
      filter: { id: /\/r50k_base\.js$/ },
      async handler(id) {
        const { default: table } = (await import(pathToFileURL(id).href)) as { default: (string | number[])[] };
        const plain = (piece: string | number[]) => typeof piece === 'string' && !/[\p{Cc}\u2028\u2029]/u.test(piece);
        const others = Object.fromEntries(table.flatMap((piece, token) => (plain(piece) ? [] : [[token, piece]])));
        const lines = table.map((piece) => (plain(piece) ? piece : '')).join('\n');
        const text = lines.replace(/[`\\$]/g, '\\$&');
        return `const table = \`${text}\`.split('\\n');\nexport default Object.assign(table, ${JSON.stringify(others)});\n`;
      },
    },
  };
}

/**
 * Builds dist/engine.js, the worker's script, as one file that imports nothing: so it can be copied, bundled as a classic script
 * and started twice, and no bundler shares a part of it with the page, where the worker would look for it in vain.
 */
export function engineAlone(entry: string): Plugin {
  const asked: Plugin = {
    name: 'asked-vocabulary',
    enforce: 'pre',
    resolveId: {
      filter: { id: /\/vocabulary\.ts$/ },
      handler: () => join(import.meta.dirname, '../src/embed/asked-vocabulary.ts'),
    },
  };
  // Without imports and exports, tools take a file for CommonJS; on a line of its own they do not take it for part of a comment.
  const plainModule: Plugin = {
    name: 'plain-module',
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) if (chunk.type === 'chunk') chunk.code += '\nexport{};\n';
    },
  };
  let outDir = '';
  return {
    name: 'engine-alone',
    configResolved(config) {
      ({ outDir } = config.build);
    },
    async closeBundle() {
      await build({
        configFile: false,
        publicDir: false,
        logLevel: 'warn',
        plugins: [workerScripts(), shortShaders(), asked, plainModule],
        build: {
          target: 'es2022',
          outDir,
          emptyOutDir: false,
          lib: { entry: { engine: entry }, formats: ['es'] },
          rolldownOptions: {
            external: [/^node:/, 'webgpu'],
            output: { entryFileNames: '[name].js', codeSplitting: false, minify: true },
          },
        },
      });
    },
  };
}
