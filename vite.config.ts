import { resolve } from 'node:path';
import { defineConfig } from 'vite';
import { buildKernels } from './scripts/build-wasm.mjs';
import { isolation } from './scripts/serve.mjs';

await buildKernels();

/** `vite` serves the page, `vite build` builds it into site/, `vite build --mode library` builds dist/vitrine.js. */
export default defineConfig(({ mode }) =>
  mode === 'library'
    ? {
        base: './', // workers are found beside the module that starts them
        publicDir: false,
        worker: { format: 'es' },
        build: {
          target: 'es2022',
          outDir: 'dist',
          minify: true,
          lib: { entry: { vitrine: resolve(import.meta.dirname, 'src/index.ts') }, formats: ['es'] },
          rolldownOptions: {
            external: [/^node:/, 'webgpu'],
            output: { entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
          },
        },
      }
    : {
        base: './',
        worker: { format: 'es' },
        server: { headers: isolation },
        preview: { headers: isolation },
        build: { target: 'es2022', outDir: 'site' },
      },
);
