import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Bench,
  bundlers,
  hosts,
  installAlone,
  makeFolder,
  openBrowser,
  pack,
  visitProject,
  write,
} from './hosts.mjs';

/** The few hosts of `npm run test:hosts` that need nothing but what is installed here. */

const root = join(import.meta.dirname, '../..');
const [work, alone] = await Promise.all([makeFolder(), makeFolder()]);
const browser = await openBrowser();
const dist = join(alone.folder, 'node_modules/vitrine/dist');
let bench: Bench;

beforeAll(async () => {
  const tarball = await pack(work.folder);
  expect(await installAlone(alone.folder, tarball)).toEqual(['node_modules/vitrine']);
  bench = { name: 'a test', tarball, dist, browser };
});
afterAll(async () => {
  await browser.close();
  await Promise.all([work.remove(), alone.remove()]);
});

test.each(['cdn', 'csp-no-blob-cdn', 'example-html', 'example-node'])('%s', async (name) => {
  for (const { problems } of await hosts[name]!(bench)) expect(problems).toEqual([]);
});

/** One follows the expressions that start workers, the other does not. */
test.each(['vite', 'rolldown'])('%s', async (name) => {
  const project = bundlers[name]!;
  const files = { ...project.files, 'check.js': await readFile(join(import.meta.dirname, 'check.js'), 'utf8') };
  await write(alone.folder, files);
  const tool = (command: string) => join(root, 'node_modules/.bin', command);
  const isolated = { ...project, visits: project.visits.slice(0, 1) };
  for (const { problems } of await visitProject(alone.folder, isolated, bench, tool)) expect(problems).toEqual([]);
});
