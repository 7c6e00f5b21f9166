// `npm run docs`: the documentation as a site, from docs/ and the doc comments, in docs/.vitepress/dist, and in site/docs
// where there is a built page. Installs on first use what only this needs (docs/package.json).
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { newest } from './newest.mjs';
import { installPackages } from './setup.mjs';

const root = join(import.meta.dirname, '..');
const docs = join(root, 'docs');
const built = join(docs, '.vitepress/dist');
/** The playground's own build of the library: dist/ may hold one with its declarations. */
const library = join(docs, '.vitepress/library');

function run(title, args, cwd = root) {
  console.log(`docs: ${title}`);
  const { status } = spawnSync(process.execPath, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`The documentation could not be built: ${title} failed.`);
}

/** True if the built documentation is not older than anything that it is made of. */
function isCurrent() {
  const made = ['docs', 'src', 'shaders', 'package.json', 'CHANGELOG.md', 'scripts/docs.mjs'];
  const since = newest(join(built, 'index.html'));
  return (
    since > 0 && made.every((name) => newest(join(root, name), /^(api|dist|library|cache|node_modules)$/) <= since)
  );
}

/** Builds what is out of date, and puts a copy beside the built page. */
export function buildDocs() {
  if (!isCurrent()) {
    installPackages(docs);
    const vite = join(root, 'node_modules/vite/bin/vite.js');
    run('the library for the playground', [
      vite,
      'build',
      '--mode',
      'library',
      '--outDir',
      library,
      '--logLevel',
      'error',
    ]);
    run('the API', [join(docs, 'node_modules/typedoc/bin/typedoc'), '--logLevel', 'Error'], docs);
    run('the pages', [join(docs, 'node_modules/vitepress/bin/vitepress.js'), 'build'], docs);
    cpSync(library, join(built, 'vitrine'), { recursive: true, filter: (path) => !/\.(map|d\.ts)$|types$/.test(path) });
    const now = new Date();
    utimesSync(join(built, 'index.html'), now, now); // newer than the folders that the build wrote into
  }
  const site = join(root, 'site');
  if (!existsSync(site)) return;
  rmSync(join(site, 'docs'), { recursive: true, force: true });
  cpSync(built, join(site, 'docs'), { recursive: true });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    installPackages();
    buildDocs();
    console.log(`The documentation is in ${built}.`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
