// Starts the sides of a row, and asks them: in one page of a browser, and native ones in processes.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { chromiumFlags, findBrowser } from '../../scripts/browser.mjs';
import { serve } from '../../scripts/serve.mjs';
import { busyMs } from '../memory.mjs';

const root = join(import.meta.dirname, '../..');

/** Calls by messages, each with its answer. */
function asker(post) {
  const waiting = new Map();
  let last = 0;
  return {
    ask: (call, ...args) =>
      new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        post({ id: last, call, args });
      }),
    hear({ id, result, error }) {
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      error === undefined ? resolve(result) : reject(new Error(error));
    },
    fail(message) {
      for (const { reject } of waiting.values()) reject(new Error(message));
    },
  };
}

function nativeSide() {
  const child = fork(join(import.meta.dirname, 'side-process.mjs'), { stdio: ['ignore', 2, 2, 'ipc'] });
  const { ask, hear, fail } = asker((message) => child.send(message));
  child.on('message', hear);
  child.once('exit', (code) => fail(`the process ended with ${code}`));
  return { ask, end: () => child.kill() };
}

/** In the page: starts a side, in a worker unless it starts one of its own and needs a document. */
async function startInPage({ name, isOnPage }) {
  const { answer, side } = await import('/bench/decoders/side.mjs');
  globalThis.sides ??= {};
  const waiting = new Map();
  const hear = ({ id, ...answered }) => waiting.get(id)(answered);
  const calls = side(globalThis.busyMs);
  const worker = isOnPage ? undefined : new Worker('/bench/decoders/side-worker.mjs', { type: 'module' });
  const heard = async ({ data }) =>
    data.asksBusyMs ? worker.postMessage({ busyMs: await globalThis.busyMs() }) : hear(data);
  if (worker) worker.onmessage = heard;
  if (worker) worker.onerror = ({ message }) => hear({ id: Math.max(...waiting.keys()), error: message });
  globalThis.sides[name] = (message) =>
    new Promise((resolve) => {
      waiting.set(message.id, resolve);
      worker ? worker.postMessage(message) : answer(calls, message, hear);
    });
}

/** A browser with a page for sides; `start(adapter)` gives one. */
export async function openSides() {
  const { url, close } = await serve(root);
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: chromiumFlags });
  const page = await browser.newPage();
  page.on('console', (message) => process.stderr.write(`  ${message.text()}\n`));
  await page.exposeFunction('busyMs', () => busyMs(process.pid));
  const ends = [];
  const failing = [];
  page.on('crash', () => {
    for (const fail of failing) fail('the page crashed');
  });
  await page.goto(new URL('bench/row.html', url).href);
  return {
    browser: `Chromium ${browser.version()}`,
    async start(adapter) {
      if (adapter === 'llama-cpp') {
        const { ask, end } = nativeSide();
        ends.push(end);
        return { ask, sourceOf: (path) => join(root, path) };
      }
      await page.evaluate(startInPage, { name: adapter, isOnPage: adapter === 'wllama' });
      const send = ([name, message]) => globalThis.sides[name](message);
      const { ask, hear, fail } = asker((message) => {
        page.evaluate(send, [adapter, message]).then(
          (answered) => hear({ id: message.id, ...answered }),
          (error) => hear({ id: message.id, error: String(error) }),
        );
      });
      failing.push(fail);
      return { ask, sourceOf: (path) => new URL(path, url).href };
    },
    async close() {
      for (const end of ends) end();
      await browser.close();
      await close();
    },
  };
}
