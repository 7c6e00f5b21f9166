import { defineConfig, type Plugin } from 'vite';
import { buildKernels } from './scripts/build-wasm.mjs';
import { together } from './scripts/chunks.ts';
import { entries } from './scripts/entries.mjs';
import {
  browsersOnly,
  engineAlone,
  ownSourcesOnly,
  shortShaders,
  shortVocabulary,
  workerScripts,
} from './scripts/library.ts';
import { licences } from './scripts/licences.ts';
import { isolation } from './scripts/serve.mjs';
import { serviceWorker } from './scripts/service-worker.ts';

await buildKernels();

const { engine, ...others } = entries;

/** Vite's own server puts styles inline, which the page's policy forbids everywhere else. */
const inlineStyles: Plugin = {
  name: 'inline-styles',
  apply: 'serve',
  transformIndexHtml: (html) => html.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
};

/** The kernels have AssemblyScript's library compiled in. */
const ofAll = licences(['assemblyscript']);

/** `vite` serves the page, `vite build` builds it into site/, `vite build --mode library` builds dist/vitrine.js. */
export default defineConfig(({ mode }) =>
  mode === 'library'
    ? {
        publicDir: false,
        plugins: [
          workerScripts(),
          ownSourcesOnly(),
          shortShaders(),
          shortVocabulary(),
          ofAll.plugin,
          engineAlone(engine!),
        ],
        build: {
          target: 'es2022',
          outDir: 'dist',
          manifest: true, // for scripts/sizes.mjs
          minify: true,
          sourcemap: true,
          lib: {
            entry: { ...others, thread: 'src/wasm/thread.js' },
            formats: ['es'],
          },
          rolldownOptions: {
            external: [/^node:/, 'webgpu', 'react'],
            output: { minify: true, entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
          },
        },
      }
    : {
        base: './',
        // See inside shows shaders with their comments; what runs them needs none.
        worker: {
          format: 'es',
          plugins: () => [shortShaders(), browsersOnly(), ofAll.worker],
          rolldownOptions: {
            output: {
              codeSplitting: {
                groups: [
                  together('engine', [['/src/embed/calls.ts'], ['/src/gpu/open.ts', '/src/wasm/backend.ts']]),
                  together('reference', [['/src/cpu/backend.ts']]),
                  together('webgpu', [['/src/gpu/open.ts'], ['/src/run/canary/device-check.ts']]),
                ],
              },
            },
          },
        },
        plugins: [inlineStyles, browsersOnly(), ofAll.plugin, serviceWorker()],
        server: { headers: isolation },
        preview: { headers: isolation },
        build: {
          target: 'es2022',
          outDir: 'site',
          // Lists of what each chunk imports would be on the first visit; only what is styled must wait for its styles.
          modulePreload: {
            polyfill: false,
            resolveDependencies: (_, deps, { hostType }) =>
              hostType === 'js' ? deps.filter((name) => name.endsWith('.css')) : deps,
          },
          rolldownOptions: {
            input: { bench: 'bench.html', check: 'check.html' },
            output: {
              codeSplitting: {
                groups: [
                  together('ground', [['/src/page/main.tsx', '/src/page/check/main.tsx']]),
                  together('page', [['/src/page/main.tsx']], ['/src/page/main.tsx']),
                ],
              },
            },
          },
        },
      },
);
