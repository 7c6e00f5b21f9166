// A Chromium with the built library, and a way to kill its GPU process.
import { join } from 'node:path';
import { chromium } from 'playwright';
import { chromiumFlags, findHeadless } from '../browser.mjs';
import { serve } from '../serve.mjs';

/** Else Chromium gives up the GPU after a few crashes, and blames the page's origin for them. */
export const crashFlags = ['--disable-gpu-process-crash-limit', '--disable-domain-blocking-for-3d-apis'];
const memoryFlags = ['--enable-blink-features=ForceEagerMeasureMemory'];

const ignore = () => {};

/** @param browser which Chromium; the one without windows does not measure memory */
export async function openSoak({ flags = crashFlags, browser: path } = {}) {
  const root = join(import.meta.dirname, '../..');
  const folders = { '/dist/': join(root, 'dist'), '/models/': join(root, 'test/fixtures') };
  const { url, close } = await serve(import.meta.dirname, 0, { folders });
  const executablePath = path ?? (await findHeadless());
  const browser = await chromium.launch({ executablePath, args: [...chromiumFlags, ...memoryFlags, ...flags] });
  const page = await browser.newPage();
  page.setDefaultTimeout(300_000); // a loaded machine is no failure
  await page.goto(url);
  await page.waitForFunction(() => globalThis.soak);
  const session = await browser.newBrowserCDPSession();
  return {
    page,
    /** Kills the GPU's process, as a driver's crash does; every device is lost. */
    crashGpu: () => session.send('Browser.crashGpuProcess').then(ignore, ignore), // it ends without an answer
    async close() {
      await browser.close();
      await close();
    },
  };
}
