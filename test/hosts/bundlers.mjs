// Other people's projects, as small as they can be: one for each bundler, as docs/hosts.md tells its users to set it up.

const html = (script) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>host</title><link rel="icon" href="data:,">
${script}</head><body></body></html>`;

/** The page's script; `worker` is how it makes the engine's worker. */
const main = (worker = '') => `import { load } from 'vitrine';
import { EngineWorker } from 'vitrine/worker';
import { check } from './check.js';
const model = '/models/tiny-tales/';
check({ page: () => load(model), worker: () => new EngineWorker(${worker}).load(model) });
`;

/** For bundlers that follow nothing: the worker is an entry of its own. */
const apart = {
  'main.js': main("new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })"),
  'worker.js': "import 'vitrine/engine';\n",
};

const viteFiles = { 'index.html': html('<script type="module" src="/main.js"></script>'), 'main.js': main() };

/** Vite's own server, with the model and the headers that this test's server has for all others. */
const viteServer = (more = '') => `const { ISOLATION, PUBLIC } = process.env;
export default { publicDir: PUBLIC, server: { headers: JSON.parse(ISOLATION) }, ${more} };
`;
const excluded = "optimizeDeps: { exclude: ['vitrine'] }";

/** A page whose threads are all there is to have, and one whose host sends no headers. */
const both = [
  { name: 'isolated', isolated: true },
  { name: 'not isolated', isolated: false },
];

const next = (bundler) => ({
  packages: ['next@16', 'react@19', 'react-dom@19'],
  files: {
    'app/layout.jsx': 'export default ({ children }) => <html lang="en"><body>{children}</body></html>;\n',
    'app/page.jsx': `'use client';
import { useEffect } from 'react';
export default function Page() {
  useEffect(() => {
    import('../main.js');
  }, []);
  return <p>host</p>;
}
`,
    'app/icon.svg': '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>',
    'next.config.mjs': "export default { output: 'export' };\n",
    'main.js': main(),
  },
  build: ['next', 'build', bundler],
  out: 'out',
  visits: both,
});

/** @typedef {import('./project.mjs').Project} Project */

/** @type {Record<string, Project>} */
export const bundlers = {
  vite: { packages: ['vite@8'], files: viteFiles, build: ['vite', 'build'], out: 'dist', visits: both },
  'vite-dev': {
    packages: ['vite@8'],
    files: { ...viteFiles, 'vite.config.js': viteServer(excluded) },
    dev: ['vite'],
    visits: both,
  },
  'vite-dev-unconfigured': {
    packages: ['vite@8'],
    files: { ...viteFiles, 'vite.config.js': viteServer() },
    dev: ['vite'],
    visits: both,
  },
  vite7: {
    packages: ['vite@7'],
    files: viteFiles,
    build: ['vite', 'build'],
    out: 'dist',
    visits: both,
  },
  'vite7-dev': {
    packages: ['vite@7'],
    files: { ...viteFiles, 'vite.config.js': viteServer(excluded) },
    dev: ['vite'],
    visits: both,
  },
  'vite7-dev-unconfigured': {
    packages: ['vite@7'],
    files: { ...viteFiles, 'vite.config.js': viteServer() },
    dev: ['vite'],
    visits: [
      {
        name: 'isolated',
        isolated: true,
        expects: { worker: { code: 'network', message: /optimizeDeps: \{ exclude: \['vitrine'\] \}/ } },
        console: [/Failed to load resource/],
      },
    ],
  },
  webpack: {
    packages: ['webpack@5', 'webpack-cli'],
    files: {
      'main.js': main(),
      'dist/index.html': html('<script defer src="/main.js"></script>'),
      'webpack.config.mjs': "export default { entry: './main.js', mode: 'production' };\n",
    },
    build: ['webpack'],
    out: 'dist',
    visits: both,
  },
  parcel: {
    packages: ['parcel@2'],
    manifest: { '@parcel/resolver-default': { packageExports: true } },
    files: { 'index.html': html('<script type="module" src="main.js"></script>'), 'main.js': main() },
    build: ['parcel', 'build', 'index.html', '--no-cache'],
    out: 'dist',
    visits: both,
  },
  esbuild: {
    packages: ['esbuild@0.28'],
    files: { ...apart, 'dist/index.html': html('<script type="module" src="/main.js"></script>') },
    build: ['esbuild', 'main.js', 'worker.js', '--bundle', '--splitting', '--format=esm', '--outdir=dist'],
    out: 'dist',
    visits: both,
  },
  rolldown: {
    packages: ['rolldown@1'],
    files: { ...apart, 'dist/index.html': html('<script type="module" src="/main.js"></script>') },
    build: ['rolldown', 'main.js', 'worker.js', '--dir', 'dist', '--log-level', 'silent'],
    out: 'dist',
    visits: both,
  },
  rollup: {
    packages: ['rollup@4', '@rollup/plugin-node-resolve'],
    files: {
      ...apart,
      'dist/index.html': html('<script type="module" src="/main.js"></script>'),
      'rollup.config.mjs': `import resolve from '@rollup/plugin-node-resolve';
export default { input: ['main.js', 'worker.js'], output: { dir: 'dist' }, plugins: [resolve({ browser: true })] };
`,
    },
    build: ['rollup', '--config', '--silent'],
    out: 'dist',
    visits: both,
  },
  'next-turbopack': next('--turbopack'),
  'next-webpack': next('--webpack'),
  sveltekit: {
    packages: ['@sveltejs/kit', '@sveltejs/adapter-static', '@sveltejs/vite-plugin-svelte', 'svelte@5', 'vite@8'],
    files: {
      'svelte.config.js':
        "import adapter from '@sveltejs/adapter-static';\nexport default { kit: { adapter: adapter() } };\n",
      'vite.config.js': "import { sveltekit } from '@sveltejs/kit/vite';\nexport default { plugins: [sveltekit()] };\n",
      'src/app.html': html('%sveltekit.head%').replace('<body>', '<body>%sveltekit.body%'),
      'src/routes/+layout.js': 'export const prerender = true;\n',
      'src/routes/+page.svelte':
        "<script>\n  import { onMount } from 'svelte';\n  onMount(() => import('../../main.js'));\n</script>\n",
      'main.js': main(),
    },
    build: ['vite', 'build'],
    out: 'build',
    visits: both,
  },
};
