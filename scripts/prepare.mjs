// npm runs this after `npm install` in a clone and before it packs: `npm install git+https://...` then has a package that is
// built. After `npm ci` it does nothing, because tests build for themselves.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

if (process.env.npm_command !== 'ci') {
  const windows = process.platform === 'win32'; // npm is a .cmd there, which needs a shell
  const cwd = join(import.meta.dirname, '..');
  const { status } = spawnSync('npm', ['run', '--silent', 'build:library'], { cwd, stdio: 'inherit', shell: windows });
  process.exitCode = status ?? 1;
}
