import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import { isFull } from '../full.ts';
import { type Choice, compare } from './compare.ts';
import type { Tab } from './tab.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The built library on WebGPU, with everything that has a kernel, against the CPU. */
export function libraryOnWebGpu(launch: () => Promise<Tab>, choices: readonly Choice[]): void {
  let tab: Tab;
  let folder: string;
  let site: Awaited<ReturnType<typeof serve>>;
  const compiled = new Set<string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'library-'));
    await symlink(join(root, 'dist'), join(folder, 'dist'));
    await symlink(join(root, 'test/fixtures/tiny-gpt2'), join(folder, 'model'));
    const script = `import * as vitrine from './dist/vitrine.js';
import { EngineWorker } from './dist/vitrine-worker.js';
Object.assign(globalThis, { vitrine, EngineWorker });`;
    await writeFile(join(folder, 'index.html'), `<!doctype html><script type="module">${script}</script>`);
    site = await serve(folder);
    tab = await launch();
    await tab.goto(site.url);
  });
  afterAll(async () => {
    await tab?.close();
    await site?.close();
    await rm(folder, { recursive: true });
  });

  test.each(choices)('%o', async (choice) => {
    const found = await tab.run(compare, `${site.url}model/`, choice);
    for (const files of found.shaders) for (const file of files.split(' + ')) compiled.add(file);
    expect(found.errors).toEqual([]);
    expect(found.pipelines).toBeGreaterThan(10);
    if (choice.compileOnly) return;
    const allowed = choice.kv === 'f16' ? 2e-3 : 1e-4;
    for (const distance of [found.logits, found.traced, found.edited]) expect(distance).toBeLessThan(allowed);
    expect(found.drawn![0]).toEqual(found.drawn![1]);
  });

  test('engines in workers start eight threads, one after the other, and none stands still', async () => {
    const started = await tab.run(
      async (model, times) => {
        const { EngineWorker } = globalThis as unknown as typeof import('../../src/embed/client.ts');
        const threads: (number | undefined)[] = [];
        for (let i = 0; i < times; i++) {
          const engine = new EngineWorker();
          threads.push((await engine.load(model, { device: 'wasm', threads: 8 })).device.threads);
          engine.terminate();
        }
        return threads;
      },
      `${site.url}model/`,
      isFull ? 100 : 5,
    );
    expect(started).toEqual(started.map(() => 8));
  });

  // Firefox offers no subgroups; where rows are selected, that is part of the kernel behind it; GPT-2's positions are not rotary.
  // Gradients are no part of a load.
  test.runIf(isFull)(
    'every shader was compiled but those for subgroups, select-rows, rotate and gradients',
    async () => {
      const files = await readdir(join(root, 'shaders'), { recursive: true });
      const isElsewhere = /subgroups|quads|select-rows|rotate|adjoint/;
      const shaders = files.filter((name) => name.endsWith('.wgsl') && !isElsewhere.test(name));
      expect([...compiled].sort()).toEqual(shaders.sort());
    },
  );
}
