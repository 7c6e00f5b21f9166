import { resolve } from 'node:path';
import { defineConfig } from 'vite';

/** Lets the page use threads and precise timers, and still fetch models from other hosts. */
export const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'credentialless',
};

/** `vite` serves the page, `vite build` builds it into site/, `vite build --mode library` builds dist/vitrine.js. */
export default defineConfig(({ mode }) =>
  mode === 'library'
    ? {
        publicDir: false,
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
        server: { headers: isolation },
        preview: { headers: isolation },
        worker: { format: 'es' },
        build: { target: 'es2022', outDir: 'site' },
      },
);
