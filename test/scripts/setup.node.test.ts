import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { installPackages } from '../../scripts/setup.mjs';

test('a package that was added to package.json alone is installed, and one whose folder is gone again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'setup-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const write = (path: string, value: unknown) => writeFile(join(folder, path), JSON.stringify(value));
  const lock = { name: 'all', lockfileVersion: 3, packages: { '': { name: 'all' } } };
  await write('package-lock.json', lock);
  for (const name of ['one', 'two']) {
    await mkdir(join(folder, name));
    await write(`${name}/package.json`, { name, version: '1.0.0' });
  }
  await write('package.json', { name: 'all', dependencies: { one: 'file:one' } });
  const isThere = (name: string) => existsSync(join(folder, `node_modules/${name}/package.json`));
  installPackages(folder);
  expect(isThere('one')).toBe(true);
  await write('package.json', { name: 'all', dependencies: { one: 'file:one' }, devDependencies: { two: 'file:two' } });
  installPackages(folder);
  expect([isThere('one'), isThere('two')]).toEqual([true, true]);
  const locked = await readFile(join(folder, 'package-lock.json'), 'utf8');
  await rm(join(folder, 'node_modules/one'), { recursive: true });
  installPackages(folder);
  expect([isThere('one'), isThere('two')]).toEqual([true, true]);
  expect(await readFile(join(folder, 'package-lock.json'), 'utf8')).toBe(locked);
});
