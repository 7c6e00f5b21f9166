import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright';
import { chromiumFlags, findHeadless } from '../scripts/browser.mjs';
import { serve } from '../scripts/serve.mjs';

/** The built page in a headless Chromium, for end-to-end tests. */
export interface Site {
  url: string;
  browser: Browser;
  /** A place with storage of its own. */
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** A new page in a context of its own, not yet at `url`, without a service worker: it would keep the whole build for each anew. */
  newPage(options?: BrowserContextOptions): Promise<Page>;
  close(): Promise<void>;
}

/** Milliseconds that a page is waited for. It tells a page that hangs from a machine that is busy, and measures nothing. */
export const PATIENCE = 120_000;

let shared: Promise<Browser> | undefined;

/** The Chromium that all end-to-end tests of a process share; it ends with the process. */
export function sharedBrowser(): Promise<Browser> {
  shared ??= launchBrowser().then((browser) => {
    browser.on('disconnected', () => {
      shared = undefined;
    });
    return browser;
  });
  return shared;
}

async function launchBrowser(flags: string[] = []): Promise<Browser> {
  const executablePath = await findHeadless();
  if (!executablePath) throw new Error('There is no Chromium: run `node scripts/setup.mjs` first.');
  return chromium.launch({ executablePath, args: [...chromiumFlags, ...flags] });
}

/** A context in which everything is waited for patiently. */
export async function newContext(browser: Browser, options?: BrowserContextOptions): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  return context;
}

/**
 * Serves site/ (or the folder in VITRINE_SITE) to the shared Chromium. With `flags`, if only an empty list, to one of its own, which
 * has them beside those of the tests, e.g. `--disable-features=WebGPU`.
 */
export async function openSite(flags?: string[]): Promise<Site> {
  const folder = process.env.VITRINE_SITE ?? fileURLToPath(new URL('../site', import.meta.url));
  if (!existsSync(`${folder}/index.html`)) throw new Error('There is no built page: run `npm run build:page` first.');
  const browser = await (flags ? launchBrowser(flags) : sharedBrowser());
  const { url, close } = await serve(folder);
  const contexts: BrowserContext[] = [];
  const site: Site = {
    url,
    browser,
    async newContext(options) {
      const context = await newContext(browser, options);
      contexts.push(context);
      return context;
    },
    newPage: async (options) => (await site.newContext({ serviceWorkers: 'block', ...options })).newPage(),
    async close() {
      await (flags ? browser.close() : Promise.all(contexts.map((context) => context.close())));
      await close();
    },
  };
  return site;
}
