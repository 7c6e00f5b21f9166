import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { serve } from '../../scripts/serve.mjs';
import { newContext, sharedBrowser } from '../site.ts';
import { hub } from './models.ts';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));

/**
 * A page of Chromium with the built library as `vitrine` and its worker's side as `worker`, on a server of its own, which is a
 * hub too: its address is the `endpoint`.
 */
export async function openPage(): Promise<{ page: Page; endpoint: string; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-real-'));
  await symlink(dist, join(folder, 'dist'));
  await symlink(hub, join(folder, 'hub'));
  const imports = "import * as vitrine from './dist/vitrine.js'; import * as worker from './dist/vitrine-worker.js';";
  const script = `${imports} Object.assign(globalThis, { vitrine, worker });`;
  await writeFile(join(folder, 'index.html'), `<!doctype html><script type="module">${script}</script>`);
  const site = await serve(folder);
  const context = await newContext(await sharedBrowser());
  const page = await context.newPage();
  await page.goto(site.url);
  await page.waitForFunction(() => 'vitrine' in globalThis);
  return {
    page,
    endpoint: `${site.url}hub`,
    async close() {
      await context.close();
      await site.close();
      await rm(folder, { recursive: true });
    },
  };
}
