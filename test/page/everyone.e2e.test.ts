import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isFull } from '../full.ts';
import { openSite, type Site } from '../site.ts';
import { violations } from './inside.ts';

let site: Site;
let page: Page;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
afterEach(() => page.context().close());

async function open(hash: string, width = 1280): Promise<void> {
  page = await site.newPage({ viewport: { width, height: 900 } });
  await page.goto(`${site.url}#device=wasm&prompt=Once+upon+a+time+there+was+a+girl${hash}`);
  await page.getByText(/in memory/).waitFor();
}

const stations = ['overview', 'input', 'block', 'neuron', 'output', 'spoke', 'touch', 'compare', 'runs'];

describe('axe-core finds no serious violation, light and dark', () => {
  const expectNone = async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await violations(page), 'light').toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await violations(page, { rules: ['color-contrast'] }), 'dark').toEqual([]); // the rest is the same page
  };

  test('while writing: tokens coloured, alternatives open', async () => {
    await open('&colour=probability');
    await page.locator('.flow .token').first().waitFor();
    await expectNone();
    await page.locator('textarea').focus();
    await page.keyboard.press('Alt+ArrowDown');
    await page.locator('.alternatives li').first().waitFor();
    await expectNone();
    // A window that is drawn smaller, or a phone that is turned, takes the list along.
    await page.setViewportSize({ width: 390, height: 844 });
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });

  test('inside, at every station', async () => {
    await open(`&inside=${stations.join('+')}`);
    for (const station of stations) {
      await page
        .locator(`#station-${station}[data-open="true"] .body figure, #station-${station} .body :is(table, canvas, ol)`)
        .first()
        .waitFor();
    }
    await expectNone();
    // With colours of the system's own, what is chosen and what has the focus is told by lines.
    await page.emulateMedia({ forcedColors: 'active', colorScheme: 'light' });
    const chosen = page.locator('#station-compare .choices input:checked + span');
    const other = page.locator('#station-compare .choices input:not(:checked) + span');
    const outline = (one: typeof chosen) => one.first().evaluate((element) => getComputedStyle(element).outlineStyle);
    await expect.poll(async () => [await outline(chosen), await outline(other)]).toEqual(['solid', 'none']);
    await page.locator('.surface textarea').focus();
    const bar = () => page.locator('.surface').evaluate((one) => getComputedStyle(one, '::before').backgroundColor);
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await expect.poll(bar).not.toBe(paper);
  });

  test('a lesson and the inspector, on a phone', async () => {
    await open('&inside=input', 390);
    await page.locator('.lessons').getByRole('button', { name: 'Tokens' }).click();
    await page.locator('.lesson .words').waitFor();
    await expectNone();
    await page.locator('.lesson').getByRole('button', { name: 'Close the lesson' }).click();
    await page.getByRole('application').first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await page.locator('.inspector .equation').waitFor();
    await expectNone();
  });
});

test('nothing is wider than the window, on the narrowest phone', async () => {
  await open('&inside=overview+input+block+neuron+output+spoke+touch+compare&colour=rank', 360);
  await page.locator('#station-touch .prediction').waitFor();
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
});

test.each([
  ['', 120] as const,
  // The check of the GPU, and what it is held against, is with it; software compiles for twenty seconds.
  ...(isFull ? [['#device=webgpu', 120] as const] : []),
])(
  'a first visit%s fetches less than %i kB of JavaScript before tokenizer and model, and answers',
  async (hash, most) => {
    page = await site.newPage();
    const scripts = new Set<string>();
    page.on('request', (request) => {
      if (/\.js($|\?)/.test(new URL(request.url()).pathname)) scripts.add(new URL(request.url()).pathname);
    });
    const start = performance.now();
    await page.goto(`${site.url}${hash}`);
    const complete = page.getByRole('button', { name: /^Complete/ });
    await complete.click();
    await page.locator('.flow .model').first().waitFor();
    console.log(`First visit to first token: ${((performance.now() - start) / 1000).toFixed(1)} s.`);
    const folder = process.env.VITRINE_SITE ?? fileURLToPath(new URL('../../site', import.meta.url));
    // The tokenizer's table is data; the service worker is fetched after the page works.
    const code = [...scripts].filter((path) => !/r50k_base|service-worker/.test(path));
    expect(code.length).toBeGreaterThan(1);
    const bytes = code.reduce((sum, path) => sum + gzipSync(readFileSync(`${folder}${path}`)).length, 0);
    console.log(`JavaScript of a first visit: ${(bytes / 1000).toFixed(1)} kB gzip.`);
    expect(bytes).toBeLessThan(most * 1000);
    expect([...scripts].some((path) => path.includes('inside-') && !path.includes('inside-open'))).toBe(false);
  },
);
