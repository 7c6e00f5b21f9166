// The projects of examples/, installed with the packed library, built as their users build them, and made to write.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { serve } from '../../scripts/serve.mjs';
import { expectedText, models } from './attempt.mjs';
import { openWith } from './extension.mjs';
import { binary, command, makeFolder } from './project.mjs';
import { absent, listen, until } from './visit.mjs';

const root = join(import.meta.dirname, '../..');
const prompt = 'Once upon a time';

/**
 * @typedef Example
 * @property {string} [out] what `npm run build` makes, which is served; without it the example is a command
 * @property {string[]} [run] the command, and what it needs beside the example's own packages
 * @property {string[]} [packages]
 */

/** A copy of an example with its packages in it. */
async function install(name, folder, tarball, packages = []) {
  await cp(join(root, 'examples', name), folder, { recursive: true, filter: (path) => !path.includes('node_modules') });
  const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball, ...packages];
  await command(folder, 'npm', args);
  const { scripts } = (await import(join(folder, 'package.json'), { with: { type: 'json' } })).default;
  if (scripts?.build) await command(folder, 'npm', ['run', 'build'], { NEXT_TELEMETRY_DISABLED: '1' });
}

/** Presses the page's button and waits until it has written what the library writes. @returns what is wrong */
async function press(page, url, expected) {
  const errors = listen(page);
  await page.goto(`${url}?model=/models/tiny-tales/`);
  await page.getByRole('button', { name: 'Continue' }).click();
  const written = () =>
    page.evaluate(() => {
      const fields = [...document.querySelectorAll('vitrine-writer')].map(({ value }) => value);
      return [document.body.innerText, ...fields].join('\n');
    });
  await until(async () => ((await written()).includes(expected) ? true : undefined), errors);
  return errors.filter((error) => !absent.test(error));
}

async function visitPages(out, { browser }, expected, cdn) {
  const { url, close } = await serve(out, 0, { folders: { '/models/': models } });
  const context = await browser.newContext();
  try {
    if (cdn) await context.route('https://cdn.jsdelivr.net/npm/vitrine/dist/**', cdn);
    return await press(await context.newPage(), url, expected);
  } finally {
    await context.close();
    await close();
  }
}

/** One row of the table for an example; what goes wrong on the way is its problem. */
const example = (name, act) => async (bench) => {
  const start = Date.now();
  const { folder, remove } = await makeFolder();
  let problems;
  try {
    problems = await act({ name, folder, bench, expected: prompt + (await expectedText(bench.dist)) });
  } catch (error) {
    problems = [error.message];
  } finally {
    await remove();
  }
  return [{ visit: 'example', seconds: (Date.now() - start) / 1000, summary: 'written', problems }];
};

const built =
  (out) =>
  async ({ name, folder, bench, expected }) => {
    await install(name, folder, bench.tarball);
    return visitPages(join(folder, out), bench, expected);
  };

const run =
  (packages, tool, args) =>
  async ({ name, folder, bench, expected }) => {
    await install(name, folder, bench.tarball, packages);
    const output = await command(folder, tool(folder), [...args, join(models, 'tiny-tales/')], { NO_COLOR: '1' });
    return output.includes(expected) ? [] : [`It wrote ${output}`];
  };

/** The CDN's files are the package's. */
const html = async ({ bench, expected }) =>
  visitPages(join(root, 'examples/html'), bench, expected, async (route) => {
    const path = join(bench.dist, new URL(route.request().url()).pathname.replace('/npm/vitrine/dist/', ''));
    if (!existsSync(path)) return route.fulfill({ status: 404 });
    const headers = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };
    return route.fulfill({ path, headers });
  });

/** Chromium names an unpacked extension after its folder: the digest's hex digits as letters from a to p. */
async function idOf(folder) {
  const digest = createHash('sha256')
    .update(await realpath(folder))
    .digest('hex')
    .slice(0, 32);
  return digest.replace(/./g, (digit) => String.fromCharCode(97 + Number.parseInt(digit, 16)));
}

async function extension({ name, folder, bench, expected }) {
  await install(name, folder, bench.tarball);
  await cp(join(models, 'tiny-tales'), join(folder, 'dist/models/tiny-tales'), { recursive: true });
  const profile = await makeFolder();
  const context = await openWith(join(folder, 'dist'), profile.folder);
  try {
    const page = await context.newPage();
    return await press(page, `chrome-extension://${await idOf(join(folder, 'dist'))}/popup.html`, expected);
  } finally {
    await context.close();
    await profile.remove();
  }
}

const deno = ['run', '--allow-all', '--node-modules-dir=manual', '--config=/dev/null', 'main.ts'];

const all = {
  html,
  vite: built('dist'),
  react: built('dist'),
  next: built('out'),
  svelte: built('dist'),
  extension,
  node: run([], () => process.execPath, ['index.js']),
  deno: run(['deno@2'], (folder) => binary(folder, 'deno'), deno),
};

/** @type {Record<string, (bench: import('./hosts.mjs').Bench) => Promise<import('./hosts.mjs').Row[]>>} */
export const examples = Object.fromEntries(
  Object.entries(all).map(([name, act]) => [`example-${name}`, example(name, act)]),
);
