// `npm run test:real`: the tests of test/real, on published models, where `npm run models` has fetched any. The last line counts
// what passed and failed. Without models it says so in one line, and nothing has failed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { newest } from './newest.mjs';
import { installBrowser, installPackages } from './setup.mjs';

const root = join(import.meta.dirname, '..');
const options = process.argv.slice(2);
/** `--full`: all of the cases on a software GPU too, which takes an hour. */
if (options.includes('--full')) process.env.VITRINE_REAL = 'full';
/** Where the models are; `node scripts/test-real.mjs FOLDER` looks elsewhere. */
const folder = options.find((option) => !option.startsWith('--')) ?? join(root, 'models');
const models = JSON.parse(readFileSync(join(root, 'scripts/models.json'), 'utf8'));
const isThere = ({ id, files }) =>
  Object.keys(files).every((file) => existsSync(join(folder, id, 'resolve/main', file)));

/** The library as it is now, for the tests in a browser. */
function build() {
  if (newest(join(root, 'dist/vitrine.js')) >= Math.max(...['src', 'shaders'].map((name) => newest(join(root, name)))))
    return;
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const args = ['build', '--mode', 'library', '--logLevel', 'warn'];
  spawnSync(process.execPath, [vite, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
}

async function test() {
  installPackages();
  await installBrowser();
  build();
  const report = join(root, 'test-results/real.json');
  rmSync(report, { force: true });
  mkdirSync(join(root, 'test-results'), { recursive: true });
  const args = ['run', '--config', 'vitest.real.config.ts', '--reporter=default', '--reporter=json'];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, ...args, `--outputFile.json=${report}`], {
    cwd: root,
    stdio: 'inherit',
  });
  const counts = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
  // A file that cannot be imported, or an error outside of any test, fails the run and no test.
  const failed = status === 0 ? 0 : Math.max(1, counts?.numFailedTests ?? 1);
  if (counts?.numPendingTests) console.log(`${counts.numPendingTests} skipped`);
  console.log(`${counts?.numPassedTests ?? 0} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

if (models.some(isThere)) await test();
else console.log('There are no published models here to test with; `npm run models` fetches them.');
