import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DefaultTheme, defineConfig } from 'vitepress';

const docs = join(import.meta.dirname, '..');
/** Where the site lies: /docs/ beside the page; a workflow that publishes under a folder sets DOCS_BASE. */
const base = process.env.DOCS_BASE ?? '/docs/';
const { version, repository } = JSON.parse(readFileSync(join(docs, '../package.json'), 'utf8'));

/** The page lies one folder above the documentation, wherever the site is published. */
const above = (path: string) => new URL(`../${path}`, `https://site${base}`).pathname;

const page = (text: string, link: string) => ({ text, link });

const guide: DefaultTheme.SidebarItem[] = [
  {
    text: 'Begin',
    items: [
      page('In a minute', '/start'),
      page('Playground', '/playground'),
      page('Coming from another engine', '/migration'),
    ],
  },
  {
    text: 'Use',
    items: [
      page('Models', '/families'),
      page('Loading', '/loading'),
      page('In a worker', '/worker'),
      page('Decoding', '/decoding'),
      page('Sampling', '/sampling'),
      page('Tokenizer', '/tokenizer'),
      page('Tracing and editing', '/tracing'),
      page('Adapters and learning', '/learning'),
      page('Element, OpenAI, AI SDK, React', '/faces'),
    ],
  },
  {
    text: 'Where it runs',
    items: [
      page('Bundlers, hosts and policies', '/hosts'),
      page('Devices', '/devices'),
      page('Checking a GPU', '/checks'),
      page('Browsers', '/browsers'),
      page('Errors', '/errors'),
    ],
  },
  {
    text: 'How it works',
    items: [
      page('Design', '/design'),
      page('A first walk', '/walk'),
      page('WebAssembly', '/wasm'),
      page('Quantisation', '/quantisation'),
      page('Performance', '/performance'),
      page('Benchmarks', '/benchmarks/'),
      page('Sizes', '/sizes'),
      page('Changes', '/changes'),
    ],
  },
];

const api = join(docs, 'api/typedoc-sidebar.json');

export default defineConfig({
  base,
  title: 'Vitrine',
  description: 'Transformers in the browser on WebGPU, every number open to inspection',
  lang: 'en',
  cleanUrls: false,
  rewrites: { 'benchmarks/README.md': 'benchmarks/index.md' },
  srcExclude: ['node_modules/**', 'screenshots/**'],
  head: [
    ['link', { rel: 'icon', href: above('favicon.svg') }],
    ['meta', { name: 'color-scheme', content: 'light dark' }],
  ],
  themeConfig: {
    nav: [
      page('Guide', '/start'),
      page('API', '/api/'),
      page('Playground', '/playground'),
      { text: 'Open Vitrine', link: above(''), target: '_self' },
    ],
    sidebar: {
      '/api/': existsSync(api) ? JSON.parse(readFileSync(api, 'utf8')) : [],
      '/': guide,
    },
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: repository ? [{ icon: 'github', link: repository.url.replace(/^git\+|\.git$/g, '') }] : [],
    footer: { message: `Vitrine ${version}, MIT licence` },
  },
});
