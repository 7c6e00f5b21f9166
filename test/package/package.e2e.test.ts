import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, describe, expect, test } from 'vitest';
import { entries } from '../../scripts/entries.mjs';
import { pack, root } from './packed.ts';

const packed = pack();
afterAll(() => packed.close());

interface Manifest {
  exports: Record<string, string | { types: string; default: string }>;
  dependencies?: object;
  peerDependencies?: Record<string, string>;
  [field: string]: unknown;
}

const manifest = JSON.parse(readFileSync(join(packed.folder, 'package.json'), 'utf8')) as Manifest;
const files = readdirSync(packed.folder, { recursive: true, encoding: 'utf8' })
  .map((name) => ({ name: name.replaceAll('\\', '/'), path: join(packed.folder, name) }))
  .filter(({ path }) => statSync(path).isFile());

describe('the packed package', () => {
  test('is one package, and small', () => {
    expect(manifest.dependencies).toBeUndefined();
    const bytes = files.reduce((sum, { path }) => sum + statSync(path).size, 0);
    // With source maps and declarations. The worker's script has all families, tokenizers and kernels once more, as it stands alone.
    expect(bytes).toBeLessThan(4.3e6);
    for (const { name, path } of files) {
      if (name.endsWith('.d.ts')) expect(statSync(path).size, name).toBeLessThan(75_000);
    }
  });

  test('says where it lives and what it is', () => {
    for (const field of [
      'repository',
      'homepage',
      'bugs',
      'keywords',
      'main',
      'jsdelivr',
      'unpkg',
      'types',
      'license',
    ]) {
      expect(manifest[field], field).toBeTruthy();
    }
    for (const field of ['main', 'jsdelivr', 'unpkg', 'types']) {
      expect(existsSync(join(packed.folder, manifest[field] as string)), field).toBe(true);
    }
  });

  test('has every entry with its declarations', () => {
    const named = Object.values(manifest.exports).filter((entry) => typeof entry === 'object');
    expect(named.map(({ default: file }) => file).sort()).toEqual(
      Object.keys(entries)
        .map((name) => `./dist/${name}.js`)
        .sort(),
    );
    for (const file of named.flatMap((entry) => Object.values(entry))) {
      expect(existsSync(join(packed.folder, file)), file).toBe(true);
    }
  });

  test('imports nothing that it does not bring', () => {
    const peers = Object.keys(manifest.peerDependencies ?? {});
    for (const { name, path } of files.filter(({ name }) => /\.js$/.test(name))) {
      const text = readFileSync(path, 'utf8');
      const bare = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*["'`](?!node:)([@a-z][\w@/.-]*)["'`]/g)].map(
        ([, id]) => id!,
      );
      const known = ['vitrine', ...peers]; // itself is in a hint
      const foreign = bare.filter((id) => !known.includes(id.split('/')[0]!));
      expect(foreign, name).toEqual([]);
    }
  });

  test('is some 2.6 MB unpacked', () => {
    const bytes = files.reduce((sum, { path }) => sum + statSync(path).size, 0);
    expect(bytes).toBeGreaterThan(2_000_000);
    expect(bytes).toBeLessThan(2_650_000);
  });

  test('has source maps that name each source', () => {
    const modules = files.filter(({ name, path }) => /^dist\/.*\.js$/.test(name) && statSync(path).size > 2000);
    for (const { name, path } of modules) {
      if (/r50k_base|tokenizers|engine\.js$/.test(name)) continue; // another package's altogether, or of parts that have theirs
      const map = JSON.parse(readFileSync(`${path}.map`, 'utf8')) as { sources: string[]; sourcesContent: string[] };
      const own = map.sources.filter((source) => !source.includes('node_modules'));
      expect(own.length, name).toBeGreaterThan(0);
      const files = own.map((source) => join(path, '..', source).replace(packed.folder, root).replace('?raw', ''));
      expect(
        files.filter((file) => !existsSync(file)),
        name,
      ).toEqual([]);
      expect(
        own.filter((source) => map.sourcesContent[map.sources.indexOf(source)] !== ''),
        name,
      ).toEqual([]);
    }
  });

  test('carries the licence of whatever its source maps name', () => {
    const told = readFileSync(join(packed.folder, 'dist/LICENSES.md'), 'utf8');
    const ofChunks = ['gpt-tokenizer', '@huggingface/tokenizers', '@huggingface/jinja', 'assemblyscript'];
    const maps = files.filter(({ name }) => name.endsWith('.js.map')).map(({ path }) => readFileSync(path, 'utf8'));
    const sources = maps.flatMap((text) => (JSON.parse(text) as { sources: string[] }).sources);
    const bundled = sources.flatMap((source) => source.match(/node_modules\/((?:@[\w-]+\/)?[\w.-]+)\//)?.[1] ?? []);
    expect(bundled).toContain('@noble/hashes');
    for (const name of [...new Set(bundled), ...ofChunks]) expect(told).toContain(`\n## ${name} `);
    expect(told).toContain('Apache License');
  });

  test('as the page does, fonts and all', () => {
    const told = readFileSync(join(root, 'site/LICENSES.md'), 'utf8');
    for (const name of ['preact', '@preact/signals-core', '@fontsource-variable/newsreader', '@noble/hashes']) {
      expect(told).toContain(`\n## ${name} `);
    }
    expect(told).toContain('SIL OPEN FONT LICENSE');
  });

  test('links from its README to whole addresses', () => {
    const readme = readFileSync(join(packed.folder, 'README.md'), 'utf8');
    const links = [...readme.matchAll(/\]\(([^)]+)\)|(?:src|href)="([^"]+)"/g)].map(([, a, b]) => a ?? b!);
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((link) => !/^(https:\/\/|#)/.test(link))).toEqual([]);
    const repository = (manifest.homepage as string).replace('https://github.com/', '').replace('#readme', '');
    const ours = links.filter((link) => /^https:\/\/(github|raw\.githubusercontent)\.com\//.test(link));
    expect(ours.filter((link) => !link.includes(`.com/${repository}/`))).toEqual([]); // package.json says where it lives
  });

  test('publint finds nothing', async () => {
    const { messages, pkg } = await publint({ pkgDir: packed.folder, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test('are the types wrong? No', () => {
    const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    const args = [attw, packed.tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color', '--no-emoji'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
  });
});
