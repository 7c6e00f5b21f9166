import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import type { Locator, Page } from 'playwright';
import { expect, vi } from 'vitest';
import { load, type Model } from '../../src/index.ts';
import type { Drawn } from '../../src/page/inside/draw/matrix.tsx';
import type { StationName } from '../../src/page/inside/looking.ts';
import { within } from '../../src/plan/patience.ts';
import { PATIENCE, type Site } from '../site.ts';
import { watchCalls } from './watch.ts';

/** The embedded model in Node, its numbers computed apart from the page. */
export function loadEmbedded(): Promise<Model> {
  return load(fileURLToPath(new URL('../../public/models/tiny-tales/', import.meta.url)), { device: 'cpu' });
}

let shared: Promise<Model> | undefined;

/** The same for all tests of a process: who asks for it does not dispose of it. */
export function sharedEmbedded(): Promise<Model> {
  shared ??= loadEmbedded();
  return shared;
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

/** What stands open inside, and what it is of. */
interface Where {
  device?: string;
  /** Of sampling, as a link has them, `seed=1&top-k=5`. */
  dials?: string;
  block?: number;
  head?: number;
  token?: number;
}

function addressOf(text: string, { device = 'wasm', dials = '', ...place }: Where, stations?: readonly StationName[]) {
  const hash = new URLSearchParams(dials);
  hash.set('prompt', text);
  hash.set('device', device);
  if (stations) hash.set('inside', stations.join(' '));
  for (const [name, value] of Object.entries(place)) hash.set(name, String(value));
  return hash;
}

/** Until the text was read: what stands inside is of it. */
const isRead = (page: Page) => page.locator('.inside .bar .ribbon [aria-checked="true"]').waitFor();

/** A new page with a text in it, opened inside at some stations. */
export async function openInside(
  site: Site,
  text: string,
  stations: readonly StationName[],
  { reducedMotion, ...where }: Where & { reducedMotion?: 'reduce' } = {},
): Promise<Opened> {
  const page = await site.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion });
  const complaints = complaintsOf(page);
  await watchCalls(page);
  await page.goto(`${site.url}#${addressOf(text, where, stations)}`);
  await isRead(page);
  return { page, complaints };
}

let visits = 0;

/** Follows a link, its part after `#`, and waits until the page has read it. */
export async function follow(page: Page, link: string | URLSearchParams): Promise<void> {
  const hash = new URLSearchParams(link);
  hash.set('visit', String(++visits)); // the page knows no such thing, but takes the address for another one
  await page.evaluate(async (hash) => {
    const followed = new Promise((resolve) => addEventListener('hashchange', resolve, { once: true }));
    location.hash = hash;
    await followed;
  }, String(hash));
}

/**
 * Brings an open page to a stated start, for less than half of what opening one costs: a link that is followed closes the model, so that nothing
 * inside is left as it was, and another opens it at some stations, if there are any.
 */
export async function visitInside(page: Page, text: string, stations?: readonly StationName[], where: Where = {}) {
  await follow(page, addressOf(text, where));
  await page.locator('.inside').waitFor({ state: 'detached' });
  if (!stations) return;
  await follow(page, addressOf(text, where, stations));
  await isRead(page);
}

/** The page opened inside, its flow drawn. */
export async function openWhole(site: Site, text: string, dials: string): Promise<Opened> {
  const opened = await openInside(site, text, [], { dials });
  await opened.page.locator('.whole[data-stale="false"] [data-norm]').first().waitFor();
  return opened;
}

/** Until what is read of a page is as `check` says; each try reads anew, and the last one's failure is told. */
export const eventually = <T>(check: () => Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: PATIENCE, interval: 50 });

export const isFocused = (of: Locator): Promise<boolean> =>
  of.evaluate((element) => element === document.activeElement);

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
  { within: part, rules }: { within?: string; rules?: string[] } = {},
): Promise<string[]> {
  // Colours are judged when nothing fades any more.
  const fades = () => document.getAnimations().some(({ effect }) => effect?.getComputedTiming().endTime !== Infinity);
  await expect.poll(() => page.evaluate(fades)).toBe(false);
  // It names no element that passes, and needs no second page to join what it finds in frames: there are none. That takes a quarter.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  if (part) axe.include(part);
  if (rules) axe.withRules(rules);
  const { violations } = await within(PATIENCE, axe.analyze(), 'nothing has come of axe-core'); // it has no limit of its own
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
