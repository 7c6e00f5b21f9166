import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { npm, root } from './packed.ts';

const home = mkdtempSync(join(tmpdir(), 'vitrine-git-'));
afterAll(() => rmSync(home, { recursive: true }));

test('npm installs it from a git repository, built', ({ skip }) => {
  const clone = join(home, 'clone');
  const user = join(home, 'user');
  const cloned = spawnSync('git', ['clone', '--quiet', root, clone], { encoding: 'utf8' });
  if (cloned.status !== 0) return skip(`There is no git repository here: ${cloned.stderr}`);
  mkdirSync(user);
  writeFileSync(join(user, 'package.json'), '{ "private": true, "type": "module" }');
  const installed = npm(user, 'install', `git+file://${clone}`, '--prefer-offline');
  expect(installed.status, installed.stderr).toBe(0);
  expect(existsSync(join(user, 'node_modules/vitrine/dist/types/vitrine.d.ts'))).toBe(true);
  const script =
    "import { load } from 'vitrine'; const model = await load(process.argv[1]); console.log(model.config.nLayer);";
  const args = ['--input-type=module', '-e', script, join(root, 'test/fixtures/tiny-gpt2/')];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: user, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.trim()).toBe('3');
});
