// `npm start`: installs what is missing, builds the page if it is out of date, and serves it on localhost.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { serve } from './serve.mjs';
import { installPackages } from './setup.mjs';

const root = join(import.meta.dirname, '..');
const usage = 'Usage: npm start [-- --port N]';

function newest(path) {
  const info = statSync(path, { throwIfNoEntry: false });
  if (!info) return 0;
  if (!info.isDirectory()) return info.mtimeMs;
  return Math.max(info.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** True if the built page is older than anything that it is made of. */
function pageIsStale() {
  const page = join(root, 'site/index.html');
  const made = ['index.html', 'src', 'shaders', 'public', 'vite.config.ts', 'package-lock.json'];
  return !existsSync(page) || made.some((name) => newest(join(root, name)) > statSync(page).mtimeMs);
}

function wantedPort() {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '5180' } } });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port ${values.port} is no port number.`);
  return port;
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
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void close());
} catch (error) {
  console.error(error.message);
  if (error.code?.startsWith('ERR_PARSE_ARGS')) console.error(usage);
  process.exitCode = 1;
}
