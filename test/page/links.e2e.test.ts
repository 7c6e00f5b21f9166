import { readFileSync } from 'node:fs';
import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from '../site.ts';
import { follow } from './inside.ts';

let site: Site;
let page: Page;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
afterEach(() => page.context().close());

async function open(hash: string): Promise<void> {
  page = await site.newPage({ permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(`${site.url}#device=wasm&${hash}`);
  await page.getByText(/in memory/).waitFor();
}

async function copied(): Promise<string> {
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.getByText('Link copied').waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  return link.slice(link.indexOf('#') + 1);
}

test('a link restores the cell, the touches and the step of the lesson', async () => {
  const asked = 'cell=tensor+blocks.0.attn.hook_q+2%2C1%2C3&touch=head+0+1+0&touch=mlp+2+0.5&lesson=queries+2';
  await open(`prompt=The+cat+saw+a+bird&seed=1&inside=block&token=2&head=1&${asked}`);
  await page.locator('.lesson').getByText('2 of 3').waitFor();
  await page.locator('.inspector .equation[data-cell]').waitFor();
  await page.locator('.bar[data-touched=true]').waitFor();
  const value = async () => Number(await page.locator('.equation').getAttribute('data-value'));
  const parts = new URLSearchParams(await copied());
  expect(parts.getAll('touch')).toEqual(['head 0 1 0', 'mlp 2 0.5']);
  expect(parts.get('cell')).toBe('tensor blocks.0.attn.hook_q 2,1,3');
  expect(parts.get('lesson')).toBe('queries 2');
  await page.getByRole('button', { name: 'The tensor as CSV' }).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'The tensor as CSV' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('blocks.0.attn.hook_q.csv');
  await page.getByRole('button', { name: 'The code that makes it' }).click();
  await page.locator('.take-away [data-copied=true]').waitFor();
  const code = () => page.evaluate(() => navigator.clipboard.readText());
  await expect.poll(code).toContain('models/tiny-tales/');
  await expect.poll(code).toContain('"scale":0.5');
  await expect.poll(value).not.toBeNaN();
});

test('a link restores the neuron and the word that are asked for, and the next one ends what was tried out', async () => {
  const tried =
    'cell=tensor+blocks.1.mlp.hook_post+2%2C3&neuron=17&word=11&rather=262&lesson=queries+1&touch=mlp+2+0.5';
  await open(`prompt=The+cat+saw+a+bird&seed=1&inside=neuron+spoke&block=1&${tried}`);
  await page.locator('.neuron[data-layer="1"][data-neuron="17"]').waitFor();
  await page.locator('.spoke[data-token="11"][data-minus="262"]').waitFor();
  const parts = new URLSearchParams(await copied());
  expect(['neuron', 'word', 'rather'].map((name) => parts.get(name))).toEqual(['17', '11', '262']);
  await expect.poll(() => page.url()).toMatch(/neuron=17&word=11&rather=262/);
  // As a picture of elements and one of cells.
  for (const [name, most] of [
    ['flow', '.whole'],
    ['who-spoke', '.spoke'],
  ]) {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page
        .locator(most!)
        .getByRole('button', { name: `Take it away as SVG: ${name}` })
        .click(),
    ]);
    expect(download.suggestedFilename()).toBe(`${name}.svg`);
    const svg = readFileSync(await download.path(), 'utf8');
    const count = await page.evaluate((text) => {
      const found = new DOMParser().parseFromString(text, 'image/svg+xml');
      return found.querySelector('parsererror') ? 0 : found.querySelectorAll('path').length;
    }, svg);
    expect(count, name).toBeGreaterThan(5);
  }
  await follow(page, 'prompt=The+dog&seed=1&inside=neuron&neuron=3&device=wasm');
  await page.locator('.neuron[data-neuron="3"]').waitFor();
  await expect.poll(() => page.locator('.lesson, .inspector, .bar[data-touched=true]').count()).toBe(0);
  await page.locator('.lessons').getByRole('button', { name: 'Tokens' }).click();
  await page.locator('.lesson').getByRole('button', { name: 'Close the lesson' }).click();
  await page.locator('.bar[data-touched=false]').waitFor(); // what the first link touched is not back
});

test('a link has the ways that a text went; the address has none', async () => {
  const ways = [1, [-1, 0, [['The sun'], [' was', 373, -0.5]]], [0, 7, [['The sun'], [' set', 900, -2]]]];
  await open(`prompt=The+sun&branches=${encodeURIComponent(JSON.stringify(ways))}`);
  await expect.poll(() => page.locator('textarea').inputValue()).toBe('The sun set');
  await expect.poll(() => page.locator('.branches button').count()).toBe(2);
  await expect.poll(() => page.url()).not.toContain('sun');
  expect(JSON.parse(new URLSearchParams(await copied()).get('branches')!)).toEqual(ways);
  await page.locator('.branches button').first().click();
  await expect.poll(() => page.locator('textarea').inputValue()).toBe('The sun was');
});

test('a text of Start here takes the place of the text, and says what the model makes of it', async () => {
  await open('');
  await page.locator('.start-here-slot summary').click();
  await page.getByRole('button', { name: /A word out of place/ }).click();
  await page.locator('.finding').getByText('7,865').waitFor();
  await page.locator('.flow .token[data-strength]').first().waitFor();
  await page.locator('textarea').press('End');
  await page.keyboard.type(' More');
  await page.locator('.finding').waitFor({ state: 'detached' }); // it was of the other text
});
