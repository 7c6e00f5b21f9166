// `npm test`: every check of the project, one stage after the other. The last line counts what passed and failed.
// `npm run test:full` runs only the slow tests (*.full.test.ts).
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installBrowser, installPackages } from './setup.mjs';

const root = join(import.meta.dirname, '..');
const results = join(root, 'test-results');
const full = process.argv.includes('--full');
const count = { passed: 0, failed: 0, skipped: 0 };
const failures = [];

function heading(name) {
  console.log(`\n=== ${name} ===`);
}

/** A stage that passes or fails as a whole. */
function stage(name, ...args) {
  heading(name);
  const ok = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;
  count[ok ? 'passed' : 'failed'] += 1;
  if (!ok) failures.push(name);
  return ok;
}

/** One of Vitest's projects, counted test by test. */
function tests(project) {
  heading(`tests: ${project}`);
  const report = join(results, `${project}.json`);
  const args = ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  if (full) args.push('--passWithNoTests');
  const ran = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, VITRINE_FULL: full ? '1' : '0' },
  });
  let failed = 0;
  try {
    const counts = JSON.parse(readFileSync(report, 'utf8'));
    failed = counts.numFailedTests;
    count.passed += counts.numPassedTests;
    count.skipped += counts.numPendingTests + counts.numTodoTests;
  } catch {
    console.error(`No report from the ${project} tests.`);
  }
  // A file that cannot be imported, or an error outside of any test, fails the run and no test.
  if (ran.status !== 0 && failed === 0) failed = 1;
  count.failed += failed;
  if (failed) failures.push(`tests: ${project}`);
}

heading('set-up');
try {
  installPackages();
  await installBrowser();
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  stage('build: wasm', 'scripts/build-wasm.mjs');
  if (!full) {
    stage('types', 'node_modules/typescript/bin/tsc', '--noEmit');
    stage('lint and format', 'node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings');
    stage('rooms', 'scripts/check-rooms.mjs');
  }
  const vite = 'node_modules/vite/bin/vite.js';
  stage('build: library', vite, 'build', '--mode', 'library');
  stage('build: declarations', 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.declarations.json');
  stage('build: page', vite, 'build');
  for (const project of ['node', 'chromium', 'e2e']) tests(project);
} catch (error) {
  console.error(error.message);
  count.failed += 1;
  failures.push('set-up');
}

console.log('');
if (failures.length) console.log(`Failed: ${failures.join('; ')}`);
if (count.skipped) console.log(`${count.skipped} skipped`);
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed ? 1 : 0;
