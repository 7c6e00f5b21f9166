import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFirefox } from '../../scripts/browser.mjs';
import { serve } from '../../scripts/serve.mjs';
import { type Choice, compare } from './compare.ts';
import { openFirefox } from './firefox.ts';
import { smoke } from './smoke.ts';
import type { Tab } from './tab.ts';

const found = findFirefox();
const root = fileURLToPath(new URL('../..', import.meta.url));

describe.skipIf(!found)('Firefox', () => smoke(() => openFirefox(found!), ['wasm', 'webgpu']));

describe.skipIf(!found)('the library on WebGPU in Firefox', () => {
  let tab: Tab;
  let folder: string;
  let site: Awaited<ReturnType<typeof serve>>;
  const compiled = new Set<string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'library-'));
    await symlink(join(root, 'dist'), join(folder, 'dist'));
    await symlink(join(root, 'test/fixtures/tiny-gpt2'), join(folder, 'model'));
    const script = "import * as vitrine from './dist/vitrine.js'; Object.assign(globalThis, { vitrine });";
    await writeFile(join(folder, 'index.html'), `<!doctype html><script type="module">${script}</script>`);
    site = await serve(folder);
    tab = await openFirefox(found!);
    await tab.goto(site.url);
  });
  afterAll(async () => {
    await tab?.close();
    await site?.close();
    await rm(folder, { recursive: true });
  });

  const choices: Choice[] = [
    { dtype: 'f32' },
    { dtype: 'f32', vendor: 'nvidia' },
    { dtype: 'f16', kv: 'f16', vendor: 'amd' },
    { dtype: 'q8', vendor: 'intel' },
    { dtype: 'q4', vendor: 'apple' },
  ];
  test.each(choices)('computes what the CPU does: %o', async (choice) => {
    const { shaders, logits, traced, edited, drawn, errors } = await tab.run(compare, `${site.url}model/`, choice);
    for (const files of shaders) for (const file of files.split(' + ')) compiled.add(file);
    expect(errors).toEqual([]);
    const allowed = choice.kv === 'f16' ? 2e-3 : 1e-4;
    for (const distance of [logits, traced, edited]) expect(distance).toBeLessThan(allowed);
    expect(drawn[0]).toEqual(drawn[1]);
  });

  test('has compiled every shader but those for subgroups, which it does not offer', async () => {
    const files = await readdir(join(root, 'shaders'), { recursive: true });
    const shaders = files.filter((name) => name.endsWith('.wgsl') && !/subgroups|quads/.test(name));
    expect([...compiled].sort()).toEqual(shaders.sort());
  });
});
