// `npm start`: installs what is missing, builds the page if it is out of date, and serves it on localhost.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { newest } from './newest.mjs';
import { serve } from './serve.mjs';
import { installPackages } from './setup.mjs';

const root = join(import.meta.dirname, '..');
const usage = 'Usage: npm start [-- --port N]';

/** True if the built page is older than anything that it is made of. */
function pageIsStale() {
  const page = join(root, 'site/index.html');
  const made = ['index.html', 'src', 'shaders', 'public', 'vite.config.ts', 'package-lock.json'];
  return !existsSync(page) || made.some((name) => newest(join(root, name)) > newest(page));
}

function wantedPort() {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '5180' } } });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port ${values.port} is no port number.`);
  return port;
}

/** Builds the documentation beside the page that is served already: nobody should wait for it. */
function buildDocs(url) {
  const build = spawn(process.execPath, [join(root, 'scripts/docs.mjs')], { cwd: root });
  const said = [];
  for (const stream of [build.stdout, build.stderr]) stream.on('data', (text) => said.push(text));
  build.on('close', (code, signal) => {
    if (code === 0) console.log(`Its documentation is at ${url}docs/`);
    else if (!signal) console.error(`The documentation is missing:\n${said.join('')}`);
  });
  return build;
}

try {
  const port = wantedPort();
  installPackages();
  if (pageIsStale()) {
    const vite = join(root, 'node_modules/vite/bin/vite.js');
    const build = spawnSync(process.execPath, [vite, 'build'], { cwd: root, stdio: 'inherit' });
    if (build.status !== 0) throw new Error('The page could not be built.');
  }
  const { url, close } = await serve(join(root, 'site'), port);
  console.log(`\nVitrine is at ${url}  (Ctrl-C stops it)`);
  const docs = buildDocs(url);
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      docs.kill();
      void close();
    });
  }
} catch (error) {
  console.error(error.message);
  if (error.code?.startsWith('ERR_PARSE_ARGS')) console.error(usage);
  process.exitCode = 1;
}
