// Visits a host in Chromium and judges what came of it.
import { chromium } from 'playwright';
import { chromiumFlags, findHeadless } from '../../scripts/browser.mjs';

/** Milliseconds that a host may take, on a busy machine. */
const patience = Number(process.env.PATIENCE ?? 180_000);

/** The embedded model has no tokenizer of its own, which is found out by asking. */
export const absent = /(404|ERR_FILE_NOT_FOUND) .*\/models\/tiny-tales\/(tokenizer\.json|vocab\.json|merges\.txt)$/;

export async function openBrowser() {
  const executablePath = await findHeadless();
  if (!executablePath) throw new Error('There is no Chromium: run `node scripts/setup.mjs` first.');
  return chromium.launch({ executablePath, args: chromiumFlags });
}

/**
 * What the page at `url`, or a frame of it, says.
 * @param {import('playwright').Browser} browser
 * @returns {Promise<{ results: Record<string, object>, errors: string[], cores: number }>}
 */
export async function visit(browser, url) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const errors = listen(page);
    await page.goto(url, { waitUntil: 'commit' }); // its results are waited for, and longer than a page by itself
    return await outcome(page, errors);
  } finally {
    await context.close();
  }
}

/** The errors that are told on the console of a page, as they come. */
export function listen(page) {
  const errors = [];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  return errors;
}

export async function outcome(page, errors) {
  const results = await until(async () => {
    for (const frame of page.frames()) {
      const found = await frame.evaluate(() => globalThis.results).catch(() => undefined);
      if (found) return found;
    }
  }, errors);
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  return { results, errors, cores };
}

/** The first result that is not undefined. */
export async function until(ask, errors = []) {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`Nothing came of it. ${errors.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What is wrong with it, in words. `text`: what the prompt is continued with. */
export function judge({ results, errors, cores }, { isolated, expects = {}, console: allowed = [] }, text) {
  const threads = isolated ? Math.min(8, cores) : 1;
  const problems = errors.filter((error) => ![...allowed, absent].some((pattern) => pattern.test(error)));
  for (const [entry, found] of Object.entries(results)) {
    const { code, ...own } = expects[entry] ?? {};
    const wanted = code ? { code, ...own } : { text, kind: 'wasm', threads, ...own };
    for (const [name, value] of Object.entries(wanted)) {
      const fits = value instanceof RegExp ? value.test(found[name]) : found[name] === value;
      if (!fits) problems.push(`${entry}: ${name} is ${found[name]}, expected ${value} (${JSON.stringify(found)})`);
    }
  }
  return problems;
}
