// A project of somebody else's: made in a folder of its own, with the package installed from its tarball.
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * @typedef Visit
 * @property {string} name
 * @property {boolean} isolated whether the host sends the headers that isolate the page
 * @property {Record<string, object>} [expects] what differs from the text, WebAssembly and all threads, by entry
 * @property {RegExp[]} [console] errors that the browser itself tells, whatever the page does
 *
 * @typedef Project
 * @property {string[]} packages beside this one
 * @property {Record<string, string>} files
 * @property {object} [manifest] put into its package.json
 * @property {string[]} [build] a command of the packages
 * @property {string} [out] what it builds
 * @property {string[]} [dev] its own server, in place of a build
 * @property {Visit[]} visits
 */

const root = join(import.meta.dirname, '../..');

/** Runs a command; its output is told only when it fails. */
export async function command(cwd, name, args, env = {}) {
  const windows = process.platform === 'win32'; // npm is a .cmd there, which needs a shell
  const child = spawn(name, args, { cwd, shell: windows, env: { ...process.env, ...env } });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  child.stderr.on('data', (text) => (output += text));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${code}:\n${output.slice(-3000)}`);
  return output;
}

/** A folder that goes away with `remove`. */
export async function makeFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-host-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Packs what is built in dist/ as `npm publish` would; gives the tarball's path. */
export async function pack(folder) {
  await command(root, 'npm', ['pack', '--ignore-scripts', '--pack-destination', folder]);
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  return join(folder, tarball);
}

export async function write(folder, files) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

/** The package alone, as npm installs it: it must come alone. */
export async function installAlone(folder, tarball) {
  await write(folder, { 'package.json': JSON.stringify({ private: true, type: 'module' }) });
  await command(folder, 'npm', ['install', '--no-audit', '--no-fund', tarball]);
  const lock = JSON.parse(await readFile(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
  return Object.keys(lock.packages);
}

/** @param {Project} project */
export async function makeProject(folder, tarball, { packages, files, manifest }) {
  await write(folder, { 'package.json': JSON.stringify({ private: true, type: 'module', ...manifest }) });
  await command(folder, 'npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball, ...packages]);
  await cp(join(import.meta.dirname, 'check.js'), join(folder, 'check.js'));
  await write(folder, files);
}

export const binary = (folder, name) => join(folder, 'node_modules/.bin', name);
