import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright';
import { chromiumFlags, findBrowser } from '../scripts/browser.mjs';
import { serve } from '../scripts/serve.mjs';

/** The built page in a headless Chromium of its own, for end-to-end tests. */
export interface Site {
  url: string;
  browser: Browser;
  /** A new page, with storage of its own, not yet at `url`. */
  newPage(options?: BrowserContextOptions): Promise<Page>;
  close(): Promise<void>;
}

/** Serves site/ (or the folder in VITRINE_SITE) and starts Chromium. `flags` are added to those of the tests, e.g. `--disable-features=WebGPU`. */
export async function openSite(flags: string[] = []): Promise<Site> {
  const folder = process.env.VITRINE_SITE ?? fileURLToPath(new URL('../site', import.meta.url));
  if (!existsSync(`${folder}/index.html`)) throw new Error('There is no built page: run `npm run build:page` first.');
  const executablePath = await findBrowser();
  if (!executablePath) throw new Error('There is no Chromium: run `node scripts/setup.mjs` first.');
  const { url, close } = await serve(folder);
  const browser = await chromium.launch({ executablePath, args: [...chromiumFlags, ...flags] });
  return {
    url,
    browser,
    newPage: async (options) => (await browser.newContext(options)).newPage(),
    async close() {
      await browser.close();
      await close();
    },
  };
}
