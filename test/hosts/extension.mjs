// An unpacked extension of Chromium's (Manifest V3): its page, and its service worker, which may not `import()`.
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { chromiumFlags, findBrowser } from '../../scripts/browser.mjs';
import { attempt, models } from './attempt.mjs';
import { makeFolder, write } from './project.mjs';
import { listen, outcome, until } from './visit.mjs';

const isolation = {
  cross_origin_embedder_policy: { value: 'require-corp' },
  cross_origin_opener_policy: { value: 'same-origin' },
};

const manifest = (isolated) => ({
  manifest_version: 3,
  name: 'host',
  version: '1',
  background: { service_worker: 'background.js', type: 'module' },
  content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'" },
  ...(isolated && isolation),
});

const files = {
  'page.html': `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>host</title>
<script type="module" src="page.js"></script></head><body></body></html>`,
  'page.js': `import { load } from './vitrine/vitrine.js';
import { EngineWorker } from './vitrine/vitrine-worker.js';
import { check } from './check.js';
const model = '/models/tiny-tales/';
check({ page: () => load(model), worker: () => new EngineWorker().load(model) });
`,
  'background.js': `import { load } from './vitrine/static.js';
import { check } from './check.js';
globalThis.start = () => check({ background: () => load(chrome.runtime.getURL('models/tiny-tales/')) });
`,
};

async function makeExtension(folder, dist, isolated) {
  await cp(dist, join(folder, 'vitrine'), { recursive: true, filter: (path) => !path.endsWith('.map') });
  await cp(join(models, 'tiny-tales'), join(folder, 'models/tiny-tales'), { recursive: true });
  await cp(join(import.meta.dirname, 'check.js'), join(folder, 'check.js'));
  await write(folder, { ...files, 'manifest.json': JSON.stringify(manifest(isolated)) });
}

/** A browser of its own with the extension in it. */
export async function openWith(folder, profile) {
  return chromium.launchPersistentContext(profile, {
    executablePath: await findBrowser(),
    headless: false, // Playwright's own headless mode has no extensions, Chromium's has
    args: [
      ...chromiumFlags,
      '--headless=new',
      '--disable-features=DisableLoadExtensionCommandLineSwitch',
      `--disable-extensions-except=${folder}`,
      `--load-extension=${folder}`,
    ],
  });
}

async function visitExtension({ dist }) {
  const rows = [];
  for (const isolated of [true, false]) {
    const [made, profile] = [await makeFolder(), await makeFolder()];
    await makeExtension(made.folder, dist, isolated);
    const context = await openWith(made.folder, profile.folder);
    try {
      const background = await until(async () => context.serviceWorkers()[0]);
      const page = await context.newPage();
      const errors = listen(page);
      const name = isolated ? 'isolated' : 'not isolated';
      rows.push(
        await attempt(dist, { name: `page, ${name}`, isolated }, async () => {
          await page.goto(new URL('page.html', background.url()).href);
          return outcome(page, errors);
        }),
      );
      rows.push(
        await attempt(dist, { name: `service worker, ${name}`, isolated: false }, async () => {
          await background.evaluate(() => globalThis.start());
          const results = await until(() => background.evaluate(() => globalThis.results));
          return { results, errors: [], cores: 1 };
        }),
      );
    } finally {
      await context.close();
      await Promise.all([made.remove(), profile.remove()]);
    }
  }
  return rows;
}

export const extension = { extension: visitExtension };
