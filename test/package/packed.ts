import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const windows = process.platform === 'win32'; // npm is a .cmd there, which needs a shell

export function npm(cwd: string, ...args: string[]) {
  return spawnSync('npm', [...args, '--no-audit', '--no-fund'], { cwd, encoding: 'utf8', shell: windows });
}

/** The package as it would be published: its tarball, and the folder that it unpacks to. The library has to be built. */
export interface Packed {
  tarball: string;
  folder: string;
  close(): void;
}

export function pack(): Packed {
  if (!existsSync(join(root, 'dist/types/vitrine.d.ts'))) {
    throw new Error('There is no built library: run `npm run build:library` first.');
  }
  const home = mkdtempSync(join(tmpdir(), 'vitrine-pack-'));
  const { status, stderr } = npm(root, 'pack', '--ignore-scripts', '--silent', '--pack-destination', home);
  if (status !== 0) throw new Error(`The package could not be packed.\n${stderr}`);
  const tarball = join(home, readdirSync(home)[0]!);
  spawnSync('tar', ['xzf', tarball, '-C', home]);
  return { tarball, folder: join(home, 'package'), close: () => rmSync(home, { recursive: true }) };
}

/**
 * A user's project with these packages of the registry, installed once for all runs, and the packed one.
 * @returns undefined where they cannot be installed: there is no network
 */
export function project(packed: Packed, packages: readonly string[], name: string): string | undefined {
  const key = createHash('sha256').update(packages.join()).digest('hex').slice(0, 12);
  const installed = join(tmpdir(), `vitrine-packages-${key}`);
  if (!existsSync(installed)) {
    const draft = mkdtempSync(`${installed}-`);
    writeFileSync(join(draft, 'package.json'), '{ "private": true, "type": "module" }');
    const { status, stderr } = npm(draft, 'install', '--legacy-peer-deps', ...packages);
    if (status !== 0 && packages.length > 0) {
      console.log(`Not run: ${packages.join(', ')} could not be installed. ${stderr.split('\n')[0]}`);
      rmSync(draft, { recursive: true });
      return undefined;
    }
    if (existsSync(installed)) rmSync(draft, { recursive: true });
    else renameSync(draft, installed);
  }
  const folder = mkdtempSync(join(tmpdir(), `vitrine-${name}-`));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const entry of existsSync(join(installed, 'node_modules')) ? readdirSync(join(installed, 'node_modules')) : []) {
    symlinkSync(join(installed, 'node_modules', entry), join(modules, entry), 'junction');
  }
  cpSync(packed.folder, join(modules, 'vitrine'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "dependencies": { "vitrine": "*" } }'); // Deno asks
  return folder;
}
