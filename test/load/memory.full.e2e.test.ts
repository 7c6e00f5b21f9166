import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { chromiumFlags, findHeadless } from '../../scripts/browser.mjs';
import { serve } from '../../scripts/serve.mjs';
import type * as Library from '../../src/index.ts';
import { gpt2Xl, serveNoise } from './noise-server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const megabyte = 2 ** 20;
const script = "globalThis.library = await import('./dist/vitrine.js');";

declare const library: typeof Library;

let folder: string;
let site: Awaited<ReturnType<typeof serve>>;
let browser: Browser;
let context: BrowserContext;
let page: Page;

/** The built library, and the checkpoint in the shape of GPT-2 small, on one server. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'memory-'));
  await symlink(join(root, 'dist'), join(folder, 'dist'));
  await symlink(join(root, '.cache/gpt2-small'), join(folder, 'gpt2-small'));
  await writeFile(join(folder, 'index.html'), `<!doctype html><script type="module">${script}</script>`);
  site = await serve(folder);
});
afterAll(async () => {
  await site.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  browser = await chromium.launch({ executablePath: await findHeadless(), args: chromiumFlags });
  context = await browser.newContext();
  page = await open();
});
afterEach(() => browser.close());

async function open(): Promise<Page> {
  const opened = await context.newPage();
  await opened.goto(site.url);
  await opened.waitForFunction(() => 'library' in globalThis);
  return opened;
}

interface Measured {
  kind: string;
  /** Bytes of the weights as the model holds them. */
  resident: number;
  /** Most of JavaScript's heap and array buffers over what the page had before, in bytes. */
  heap: number;
  /** Most that was resident of the page's process, in bytes; undefined where the system does not tell. */
  process: number | undefined;
  /** From the call of `load` to the model, and to its first token, in ms. */
  loaded: number;
  firstToken: number;
}

type Options = Pick<Library.LoadOptions, 'dtype' | 'contextLength'> & { device: 'webgpu' | 'wasm'; cache?: false };

/** Loads a model in the page, and asks the browser all the while what memory it takes. */
async function measure(source: string, options: Options): Promise<Measured> {
  const session = await context.newCDPSession(page);
  const used = async () => {
    const usage = (await session.send('Runtime.getHeapUsage')) as { usedSize: number; backingStorageSize?: number };
    return usage.usedSize + (usage.backingStorageSize ?? Number.NaN);
  };
  await session.send('HeapProfiler.collectGarbage');
  const before = await used();
  let heap = 0;
  let ended = false;
  const loading = page
    .evaluate(
      async ([from, more]) => {
        const begun = performance.now();
        const model = await library.load(from, more);
        const loaded = performance.now() - begun;
        await model.complete('Once upon a time', { maxNewTokens: 1 });
        const { kind, bytes: resident } = model.device;
        return { kind, resident, loaded, firstToken: performance.now() - begun };
      },
      [source, options] as const,
    )
    .finally(() => {
      ended = true;
    });
  while (!ended) {
    heap = Math.max(heap, (await used()) - before);
    await Promise.race([loading, new Promise((resolve) => setTimeout(resolve, 10))]);
  }
  return { ...(await loading), heap, process: await peakOfPage() };
}

/** The largest resident set of the browser's pages, as Linux counts it. */
async function peakOfPage(): Promise<number | undefined> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const pages = processInfo.filter(({ type }) => type === 'renderer');
  const peaks = await Promise.all(
    pages.map(async ({ id }) => {
      const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    }),
  );
  const largest = Math.max(...peaks);
  return Number.isNaN(largest) ? undefined : largest;
}

function report(what: string, { kind, resident, heap, process: peak, loaded, firstToken }: Measured): void {
  const mebibytes = (bytes: number) => `${(bytes / megabyte).toFixed(0)} MiB`;
  console.log(
    `${what} on ${kind}: weights ${mebibytes(resident)}, heap and array buffers +${mebibytes(heap)}, ` +
      `process ${peak === undefined ? 'unknown' : mebibytes(peak)}; loaded in ${(loaded / 1000).toFixed(1)} s, ` +
      `first token after ${(firstToken / 1000).toFixed(1)} s`,
  );
}

test.each(['webgpu', 'wasm'] as const)('GPT-2 small, 475 MiB of F32, cold and warm on %s', async (device) => {
  for (const visit of ['cold', 'warm']) {
    const found = await measure('./gpt2-small/', { device, dtype: 'f32', contextLength: 64 });
    report(`${visit}, f32`, found);
    expect(found.kind).toBe(device);
    expect(found.resident).toBeGreaterThan(470 * megabyte);
    expect(found.heap).toBeLessThan(150 * megabyte); // weights are on the GPU, or in WebAssembly's memory
    await page.close();
    page = await open();
  }
});

test('GPT-2 XL, 6 GB of F32 in four shards, streams to q4', async () => {
  const server = await serveNoise(gpt2Xl, 4);
  const found = await measure(server.url, { device: 'wasm', dtype: 'q4', contextLength: 64, cache: false });
  report('XL, q4', found);
  expect(found.heap).toBeLessThan(300 * megabyte); // garbage included: its largest matrix is 41 MB
  if (found.process !== undefined) expect(found.process).toBeLessThan(found.resident + 500 * megabyte);
  await server.close();
});
