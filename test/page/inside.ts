import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright';
import { expect } from 'vitest';
import { load, type Model } from '../../src/index.ts';
import type { Drawn } from '../../src/page/inside/draw/matrix.tsx';
import type { StationName } from '../../src/page/inside/looking.ts';
import type { Site } from '../site.ts';
import { watchCalls } from './watch.ts';

/** The embedded model in Node, its numbers computed apart from the page. */
export function loadEmbedded(): Promise<Model> {
  return load(fileURLToPath(new URL('../../public/models/tiny-tales/', import.meta.url)), { device: 'cpu' });
}

/** What the browser complains of from now on. `expected`: what is no fault, as files that a checkpoint may have or not, whose 404 it logs. */
export function complaintsOf(page: Page, expected?: RegExp): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected?.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  return complaints;
}

interface Opened {
  page: Page;
  /** What the browser complained of. */
  complaints: string[];
}

/** The page with a text in it, opened inside at some stations. `dials`: of sampling, as a link has them, `seed=1&top-k=5`. */
export async function openInside(
  site: Site,
  text: string,
  stations: readonly StationName[],
  { device = 'wasm', width = 1280, scheme = 'light' as 'light' | 'dark', dials = '' } = {},
): Promise<Opened> {
  const page = await site.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
  const complaints = complaintsOf(page);
  await watchCalls(page);
  await page.goto(`${site.url}#prompt=${encodeURIComponent(text)}&device=${device}&${dials}`);
  await page.getByText(/in memory/).waitFor();
  await page.getByRole('button', { name: 'See inside' }).click();
  for (const name of stations) {
    const button = page.locator(`#station-${name} > h3 button`);
    if ((await button.getAttribute('aria-expanded')) !== 'true') await button.click();
  }
  return { page, complaints };
}

/** The page opened inside, its flow drawn. */
export async function openWhole(site: Site, text: string, dials: string): Promise<Opened> {
  const opened = await openInside(site, text, [], { dials });
  await opened.page.locator('.whole[data-stale="false"] [data-norm]').first().waitFor();
  return opened;
}

/** The numbers that elements tell in `data-name`. */
export const numbersOf = (page: Page, selector: string, name: string): Promise<number[]> =>
  page.locator(selector).evaluateAll((all, name) => all.map((one) => Number((one as HTMLElement).dataset[name])), name);

/** What a canvas shows: its numbers as an array. */
export function drawn(page: Page, selector: string): Promise<Omit<Drawn, 'data'> & { data: number[] }> {
  const canvas = page.locator(selector).first();
  return canvas.evaluate((element) => {
    const { data, ...rest } = (element as HTMLCanvasElement & { drawn: Drawn }).drawn;
    return { data: Array.from(data), ...rest };
  });
}

/** Waits until numbers that are read anew are these, as `toBeCloseTo` has it. */
export function expectClose(
  read: () => Promise<readonly number[]> | readonly number[],
  expected: ArrayLike<number>,
  digits = 3,
): Promise<void> {
  return expect.poll(read).toEqual(Array.from(expected, (value) => expect.closeTo(value, digits) as number));
}

/** What axe-core finds that keeps somebody from using the page; `within`: of this part alone, `rules`: of these alone. */
export async function violations(
  page: Page,
  { within, rules }: { within?: string; rules?: string[] } = {},
): Promise<string[]> {
  // Colours are judged when nothing fades any more.
  const fades = () => document.getAnimations().some(({ effect }) => effect?.getComputedTiming().endTime !== Infinity);
  await expect.poll(() => page.evaluate(fades)).toBe(false);
  // It names no element that passes, and needs no second page to join what it finds in frames: there are none. That takes a quarter.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  if (within) axe.include(within);
  if (rules) axe.withRules(rules);
  const { violations } = await axe.analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`));
}

/** Fails where something is wider than the window, of a phone or of a large screen. */
export async function expectToFit(page: Page): Promise<void> {
  for (const width of [390, 1920]) {
    await page.setViewportSize({ width, height: 900 });
    await expect.poll(() => overflow(page), { message: `${width} pixels` }).toBeLessThanOrEqual(0);
  }
}

/** How far the page is wider than its window. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}
