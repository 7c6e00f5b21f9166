// Every kind of host by name: makes it, visits it, and says what came of each visit.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isolation, serve } from '../../scripts/serve.mjs';
import { attempt, models } from './attempt.mjs';
import { bundlers } from './bundlers.mjs';
import { disk } from './disk.mjs';
import { examples } from './examples.mjs';
import { extension } from './extension.mjs';
import { html, plain } from './plain.mjs';
import { binary, command, makeFolder, makeProject, write } from './project.mjs';
import { until, visit } from './visit.mjs';

const root = join(import.meta.dirname, '../..');
const off = { 'Cross-Origin-Opener-Policy': undefined, 'Cross-Origin-Embedder-Policy': undefined };

export { installAlone, makeFolder, pack, write } from './project.mjs';
export { openBrowser } from './visit.mjs';
export { bundlers };

/** @typedef {import('./hosts.mjs').Bench} Bench */
/** @typedef {import('./hosts.mjs').Row} Row */

/** @returns {(bench: Bench) => Promise<Row[]>} */
const bundled = (project) => async (bench) => {
  const { folder, remove } = await makeFolder();
  try {
    await makeProject(folder, bench.tarball, project);
    return await visitProject(folder, project, bench);
  } catch (error) {
    return [{ visit: 'build', seconds: 0, summary: '', problems: [error.message] }];
  } finally {
    await remove();
  }
};

/** Builds and visits a project whose packages are there. `tool` finds its commands. */
export async function visitProject(folder, project, { dist, browser }, tool = (name) => binary(folder, name)) {
  const rows = [];
  if (project.build) {
    const [name, ...args] = project.build;
    await command(folder, tool(name), args, { NEXT_TELEMETRY_DISABLED: '1' });
  }
  for (const wanted of project.visits) {
    rows.push(
      await attempt(dist, wanted, async () => {
        const host = project.dev
          ? await startServer(folder, project.dev, wanted, tool)
          : await serve(join(folder, project.out), 0, {
              headers: wanted.isolated ? {} : off,
              folders: { '/models/': models },
            });
        try {
          return await visit(browser, host.url);
        } finally {
          await host.close();
        }
      }),
    );
  }
  return rows;
}

/** A bundler's own server. */
async function startServer(folder, [name, ...args], { isolated }, tool) {
  const env = { ...process.env, PUBLIC: join(root, 'public'), ISOLATION: JSON.stringify(isolated ? isolation : {}) };
  const child = spawn(tool(name), [...args, '--port', '0'], { cwd: folder, env: { ...env, NO_COLOR: '1' } });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  child.stderr.on('data', (text) => (output += text));
  const closed = new Promise((resolve) => child.once('close', resolve)); // it may end by itself
  const url = await until(async () => /http:\/\/localhost:\d+\//.exec(output)?.[0]);
  const close = () => {
    child.kill();
    return closed;
  };
  return { url, close };
}

/** @returns {(bench: Bench) => Promise<Row[]>} */
const unbundled =
  ({ files, headers = {}, visits, expects, console: allowed }) =>
  async ({ dist, browser }) => {
    const rows = [];
    for (const isolated of visits) {
      const { folder, remove } = await makeFolder();
      const mine = {
        headers: { ...headers, ...(isolated ? {} : off) },
        folders: { '/vitrine/': dist, '/models/': models },
      };
      const shared = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };
      const cdn = await serve(dist, 0, { headers: shared });
      const filled = (text) => text.replaceAll('CDN/', cdn.url).replaceAll('CDN', cdn.url.slice(0, -1));
      mine.headers = Object.fromEntries(
        Object.entries(mine.headers).map(([name, value]) => [name, value && filled(value)]),
      );
      const host = await serve(folder, 0, mine);
      const start = '<script type="module" src="/main.js"></script>';
      const all = {
        'index.html': html('', start),
        'check.js': await readFile(join(import.meta.dirname, 'check.js'), 'utf8'),
        ...files,
      };
      const site = host.url.slice(0, -1);
      const texts = Object.entries(all).map(([name, text]) => [name, filled(text).replaceAll('SITE', site)]);
      await write(folder, Object.fromEntries(texts));
      const wanted = { name: isolated ? 'isolated' : 'not isolated', isolated, expects, console: allowed };
      rows.push(await attempt(dist, wanted, () => visit(browser, host.url)));
      await Promise.all([host.close(), cdn.close(), remove()]);
    }
    return rows;
  };

const each = (set, make) => Object.fromEntries(Object.entries(set).map(([name, host]) => [name, make(host)]));

/** @type {Record<string, (bench: Bench) => Promise<Row[]>>} */
export const hosts = { ...each(plain, unbundled), ...extension, ...disk, ...each(bundlers, bundled), ...examples };
