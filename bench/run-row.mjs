// Starts a row where it belongs, a browser or a Node process of its own, and gives back what it measured.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright';
import { chromiumFlags, findBrowser, softwareVulkan } from '../scripts/browser.mjs';
import { serve } from '../scripts/serve.mjs';
import { peakBytes } from './memory.mjs';
import { modelOf } from './models.mjs';

const root = join(import.meta.dirname, '..');

/** Counts the scripts and modules that a page and its workers fetch: a function that gives their bytes, gzipped. */
function countBundle(page) {
  const paths = new Set();
  page.on('request', (request) => {
    const { protocol, pathname } = new URL(request.url());
    if (protocol === 'http:' && /(dist|node_modules)\/.*\.(m?js|wasm)$/.test(pathname)) paths.add(pathname);
  });
  return () => [...paths].reduce((sum, path) => sum + gzipSync(readFileSync(join(root, path))).length, 0);
}

async function openPage(browser, url) {
  const page = await browser.newPage();
  page.on('console', (message) => process.stderr.write(`  ${message.text()}\n`));
  await page.goto(new URL('bench/row.html', url).href);
  return page;
}

/** In a fresh browser, so that no row profits or suffers from another. */
async function inBrowser(row, plan) {
  const { url, close } = await serve(root);
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: chromiumFlags });
  try {
    const page = await openPage(browser, url);
    const bundle = countBundle(page);
    const empty = peakBytes(process.pid) ?? 0;
    const job = { row: { ...row, source: new URL(modelOf(row), url).href }, plan };
    const result = await page.evaluate(async (asked) => {
      const { runInPage } = await import('/bench/row.mjs');
      return runInPage(asked);
    }, job);
    const peak = peakBytes(process.pid);
    await page.close();
    return {
      ...result,
      bundleBytes: bundle(),
      peakBytes: peak && peak - empty,
      ...(row.device === 'webgpu' && (await countInPage(await openPage(browser, url), job))),
    };
  } finally {
    await browser.close();
    await close();
  }
}

/** On a page's main thread, whose time in JavaScript the browser tells. */
async function countInPage(page, job) {
  const metrics = await page.context().newCDPSession(page);
  await metrics.send('Performance.enable');
  await page.exposeFunction('busyMs', async () => {
    const { metrics: all } = await metrics.send('Performance.getMetrics');
    return 1000 * all.find(({ name }) => name === 'TaskDuration').value;
  });
  const asked = { ...job, tokens: job.plan.decodeTokens };
  const counts = await page.evaluate(async (job) => {
    const { countRow } = await import('/bench/row.mjs');
    return countRow({ ...job, busyMs: globalThis.busyMs });
  }, asked);
  const copyBytesPerSecond = await page.evaluate(async () => (await import('/bench/row.mjs')).measureCopies());
  return { counts, copyBytesPerSecond };
}

async function inNode(row, plan) {
  const { url, close } = await serve(root);
  // Peers fetch their models.
  const source = row.adapter === 'onnxruntime' ? new URL(modelOf(row), url).href : join(root, modelOf(row));
  const job = { row: { ...row, source }, plan };
  const env = { ...process.env, ...(await softwareVulkan()) };
  const answer = new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'row-process.mjs'), { stdio: ['ignore', 2, 2, 'ipc'], env });
    child.once('message', ({ result, error }) => {
      const peak = peakBytes(process.pid);
      child.kill();
      error ? reject(new Error(error)) : resolve({ ...result, peakBytes: peak });
    });
    child.once('exit', (code) => reject(new Error(`The process ended with ${code}.`)));
    child.send(job);
  });
  return answer.finally(close);
}

/** @returns what `measure` gives, with the peak memory; or `{ error }`, so that one failure leaves the other rows. */
export async function run(row, plan) {
  try {
    return await (row.runtime === 'node' ? inNode : inBrowser)(row, plan);
  } catch (error) {
    return { error: String(error.message).split('\n')[0] };
  }
}
