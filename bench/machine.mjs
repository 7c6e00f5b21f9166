// The machine that a run was made on, in the words that its operating system has for it.
import { cpus, totalmem } from 'node:os';
import { chromium } from 'playwright';
import { chromiumFlags, findBrowser } from '../scripts/browser.mjs';
import { serve } from '../scripts/serve.mjs';
import { roofline } from './roofline.mjs';

const root = new URL('..', import.meta.url).pathname;

/** Processor, memory, browser, and the rooflines of as many threads as were measured with. */
export async function describeMachine(threadCounts) {
  const { url, close } = await serve(root);
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: chromiumFlags });
  try {
    const page = await browser.newPage();
    await page.goto(new URL('bench/row.html', url).href);
    const rooflines = [];
    for (const threads of threadCounts) rooflines.push(await roofline(page, threads));
    return {
      cpu: cpus()[0].model.trim(),
      cores: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
      system: `${process.platform} ${process.arch}`,
      browser: `Chromium ${browser.version()}`,
      node: process.version,
      date: new Date().toISOString().slice(0, 10),
      rooflines,
    };
  } finally {
    await browser.close();
    await close();
  }
}
