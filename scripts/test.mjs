// `npm test`: every check of the project, three stages at a time. The last line counts what passed and failed.
// `npm run check` runs what takes less than a minute: types, lint and the unit tests, for each save.
// `npm run test:full` runs only the slow tests (*.full.test.ts).
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { installBrowser, installOtherBrowsers, installPackages } from './setup.mjs';

const root = join(import.meta.dirname, '..');
const results = join(root, 'test-results');
const check = process.argv.includes('--check');
const full = process.argv.includes('--full');
const count = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
/** The tests that failed, each with what it says. */
const red = [];
/** Seconds that each test file took. */
const files = [];

const tsc = 'node_modules/typescript/bin/tsc';
const vite = 'node_modules/vite/bin/vite.js';
const builds = [
  { name: 'build: page', args: [vite, 'build'] },
  { name: 'build: library', args: [vite, 'build', '--mode', 'library'] },
  { name: 'build: declarations', args: ['scripts/build-declarations.mjs'], after: ['build: library'] },
  { name: 'sizes', args: ['scripts/sizes.mjs'], after: ['build: library'] },
];
const lint = [
  { name: 'types', args: [tsc, '--noEmit'] },
  { name: 'lint and format', args: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'] },
  { name: 'rooms', args: ['scripts/check-rooms.mjs'] },
];
const built = builds.map(({ name }) => name);

/**
 * Stages in the order in which they begin, the longest first, each after those that it needs. One passes or fails as a whole; with `project`
 * it is one of Vitest's projects, counted test by test.
 */
const stages = check
  ? [{ project: 'unit' }, ...lint]
  : [
      ...builds.slice(0, 1), // the first that end-to-end tests wait for
      { project: 'gpu-models' },
      ...builds.slice(1),
      { project: 'e2e', after: built },
      { project: 'browsers', after: built }, // a browser that stands still is waited for while others run
      { project: 'gpu' },
      { project: 'node', after: built },
      { project: 'chromium' },
      { project: 'unit' },
      ...(full ? [] : lint),
    ];

/** Pages and processes wait for each other a third of the time, so that three keep the two cores of a small machine busy. */
const AT_ONCE = 3;

function nameOf({ name, project }) {
  return name ?? `tests: ${project}`;
}

/** Runs a script of Node's; what it says is shown line by line, after the stage's name where several run. */
function run(name, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0', ...env },
    });
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      createInterface({ input: from }).on('line', (line) => to.write(`${name} | ${line}\n`));
    }
    child.on('close', (code) => resolve(code === 0));
  });
}

/** One of Vitest's projects; the number of its tests that failed. */
async function tests(project) {
  const report = join(results, `${project}.json`);
  const args = ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  if (full) args.push('--passWithNoTests');
  const ok = await run(project, ['node_modules/vitest/vitest.mjs', ...args], { VITRINE_FULL: full ? '1' : '0' });
  let failed = 0;
  try {
    const counts = JSON.parse(readFileSync(report, 'utf8'));
    for (const { name, startTime, endTime, assertionResults } of counts.testResults) {
      const file = `${project}: ${relative(root, name)}`;
      files.push({ name: file, seconds: Math.round((endTime - startTime) / 1000) });
      for (const { status, fullName, failureMessages } of assertionResults) {
        if (status === 'failed') red.push(`${file}: ${fullName}\n    ${failureMessages[0]?.slice(0, 1000)}`);
      }
    }
    failed = counts.numFailedTests;
    count.passed += counts.numPassedTests;
    count.skipped += counts.numPendingTests + counts.numTodoTests;
  } catch {
    console.error(`No report from the ${project} tests.`);
  }
  // A file that cannot be imported, or an error outside of any test, fails the run and no test.
  return ok ? failed : Math.max(1, failed);
}

async function perform(stage) {
  const name = nameOf(stage);
  const begun = performance.now();
  console.log(`=== ${name} begins ===`);
  let failed;
  if (stage.project) failed = await tests(stage.project);
  else {
    failed = (await run(name, stage.args)) ? 0 : 1;
    count.passed += 1 - failed;
  }
  count.failed += failed;
  if (failed) failures.push(name);
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(`=== ${name}: ${failed ? 'failed' : 'passed'} in ${seconds} s ===`);
}

/** A stage whose needs failed runs all the same: what it still shows is worth seeing. */
async function performAll() {
  const waiting = [...stages];
  const running = new Map();
  while (waiting.length > 0 || running.size > 0) {
    const isReady = ({ after = [] }) => ![...waiting, ...running.keys()].some((one) => after.includes(nameOf(one)));
    const next = waiting.findIndex(isReady);
    if (running.size < AT_ONCE && next >= 0) {
      const [stage] = waiting.splice(next, 1);
      running.set(
        stage,
        perform(stage).finally(() => running.delete(stage)),
      );
    } else await Promise.race(running.values());
  }
}

try {
  installPackages();
  if (!check) {
    await installBrowser();
    installOtherBrowsers();
  }
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  await perform({ name: 'build: wasm', args: ['scripts/build-wasm.mjs'] });
  await performAll();
} catch (error) {
  console.error(error.message);
  count.failed += 1;
  failures.push('set-up');
}

console.log('');
if (!check && files.length > 0) {
  console.log('The slowest files:');
  for (const { name, seconds } of files.sort((a, b) => b.seconds - a.seconds).slice(0, 10)) {
    console.log(`${String(seconds).padStart(5)} s  ${name}`);
  }
}
for (const test of red) console.log(`\n${test}`);
if (failures.length) console.log(`Failed: ${failures.join('; ')}`);
if (count.skipped) console.log(`${count.skipped} skipped`);
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed ? 1 : 0;
