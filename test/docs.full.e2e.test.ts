import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from './site.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
let site: Site;
let page: Page;
/** What went wrong on the way: errors of the console and of scripts, and answers that are none. */
const wrong: string[] = [];

beforeAll(async () => {
  execFileSync(process.execPath, ['scripts/docs.mjs'], { cwd: root });
  site = await openSite();
  page = await site.newPage();
  page.on('pageerror', ({ message }) => wrong.push(message));
  page.on('response', (response) => {
    // A checkpoint without a tokenizer of its own is asked for one.
    if (response.status() >= 400 && !/\/models\//.test(response.url())) wrong.push(response.url());
  });
});
afterAll(() => site?.close());

async function htmlFiles(): Promise<string[]> {
  const files = await readdir(`${root}/site/docs`, { recursive: true });
  return files.filter((name) => name.endsWith('.html'));
}

test.each([
  [1280, 800],
  [390, 844],
])('every page of the documentation opens and fits %i pixels', async (width, height) => {
  await page.setViewportSize({ width, height });
  const files = await htmlFiles();
  expect(files.length).toBeGreaterThan(20);
  for (const name of files) {
    await page.goto(`${site.url}docs/${name}`);
    await page.locator('#app > *').first().waitFor();
    const over = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await expect.poll(over, { message: `${name} is wider than the screen` }).toBeLessThanOrEqual(0);
  }
  expect(wrong).toEqual([]);
});

test('every example of the playground runs, and another is stopped', async () => {
  await page.goto(`${site.url}docs/playground.html`);
  await page.waitForFunction(() => '__vue_app__' in document.querySelector('#app')!); // its buttons stand there before
  const examples = page.getByRole('group', { name: 'Examples' }).getByRole('button');
  const run = page.getByRole('button', { name: 'Run', exact: true });
  const output = page.getByRole('log', { name: 'Output' });
  for (const example of await examples.all()) {
    await example.click();
    await run.click();
    await expect.poll(() => output.getAttribute('data-running'), { timeout: 120_000 }).toBeNull();
    expect(await output.locator('.error').allTextContents()).toEqual([]);
    expect((await output.innerText()).length).toBeGreaterThan(40);
  }
  await page.getByRole('textbox', { name: 'Code' }).fill("console.log('begun');\nfor (;;);");
  await run.click();
  await output.getByText('begun').waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await run.waitFor();
  await page
    .getByRole('textbox', { name: 'Code' })
    .fill("import { load } from 'vitrine';\nawait load('/x/', { dtyp: 'q8' });");
  await run.click();
  await output.getByText('dtyp').waitFor();
});
