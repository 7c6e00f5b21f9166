// Hosts without a bundler: the files of the package as they lie in dist/, served beside the page, from another origin, into
// frames, under policies, in an extension, and bundled into one file that is opened from the disk.

const inline = (code) => `<script type="module">${code}</script>`;

export const html = (body, head = '') => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>host</title><link rel="icon" href="data:,">${head}</head>
<body>${body}</body></html>`;

/** `at`: where the package lies, `site`: the page's origin. */
const main = (at, site = '') => `import { load } from '${at}vitrine.js';
import { EngineWorker } from '${at}vitrine-worker.js';
import { check } from '${site}/check.js';
const model = '${site}/models/tiny-tales/';
check({ page: () => load(model), worker: () => new EngineWorker().load(model) });
`;

const policy = (text) => ({ 'Content-Security-Policy': text });
/** What lets other origins, and frames without one, read the files. */
const shared = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };

const cdn = 'CDN/'; // the runner puts the other server's address there
const noBlob = /Content Security Policy|violates the following/;
const forbidden = (line) => ({ code: 'no-worker', message: line });

/** One page per host. `expects` tells what differs from: the text, WebAssembly, and all threads where the page is isolated. */
export const plain = {
  beside: { files: { 'main.js': main('/vitrine/') }, visits: [true, false] },
  cdn: { files: { 'main.js': main(cdn) }, visits: [true, false] },
  sandbox: {
    files: {
      'index.html': html('<iframe sandbox="allow-scripts" src="/frame.html"></iframe>'),
      'frame.html': html(inline(main('/vitrine/', 'SITE'))),
    },
    headers: shared,
    visits: [false],
    frame: true,
  },
  srcdoc: {
    files: {
      'main.js': `const frame = document.createElement('iframe');
frame.srcdoc = ${JSON.stringify(html(inline(main('/vitrine/'))))};
document.body.append(frame);
`,
    },
    visits: [true, false],
    frame: true,
  },
  blob: {
    files: {
      'main.js': `const html = ${JSON.stringify(html(inline(main('SITE/vitrine/', 'SITE'))))};
const frame = document.createElement('iframe');
frame.src = URL.createObjectURL(new Blob([html], { type: 'text/html' }));
document.body.append(frame);
`,
    },
    visits: [true, false],
    frame: true,
  },
  'csp-strict': {
    files: { 'main.js': main('/vitrine/') },
    headers: policy("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src data:"),
    visits: [true, false],
  },
  'csp-no-blob-cdn': {
    files: { 'main.js': main(cdn) },
    headers: policy("script-src 'self' CDN 'wasm-unsafe-eval'; worker-src 'self'"),
    visits: [true],
    expects: {
      page: { threads: 1, reason: /one thread, because .*Content-Security-Policy/ },
      worker: forbidden(/worker-src blob:/),
    },
    console: [noBlob],
  },
  'csp-no-worker': {
    files: { 'main.js': main('/vitrine/') },
    headers: policy("worker-src 'none'"),
    visits: [true],
    expects: {
      page: { threads: 1, reason: /one thread, because .*Content-Security-Policy/ },
      worker: forbidden(/worker-src 'self' blob:/),
    },
    console: [noBlob],
  },
  'csp-no-worker-meta': {
    files: {
      'main.js': main('/vitrine/'),
      'index.html': html(
        '',
        '<meta http-equiv="Content-Security-Policy" content="worker-src \'none\'"><script type="module" src="/main.js"></script>',
      ),
    },
    visits: [true],
    expects: {
      page: { threads: 1, reason: /one thread, because .*Content-Security-Policy/ },
      worker: forbidden(/worker-src 'self' blob:/),
    },
  },
  'csp-default': {
    files: { 'main.js': main('/vitrine/') },
    headers: policy("default-src 'self'; img-src data:"),
    visits: [true],
    expects: {
      page: { kind: /cpu|webgpu/, threads: 1, reason: /wasm-unsafe-eval/ },
      worker: { kind: /cpu|webgpu/, threads: 1, reason: /wasm-unsafe-eval/ },
    },
    console: [/wasm-unsafe-eval/],
  },
};
