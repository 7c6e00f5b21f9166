import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openSite, type Site } from '../site.ts';
import { expectToFit, numbersOf, openInside, visitInside } from './inside.ts';

const text = 'Once upon a time there was';
const nLayer = 6;

let site: Site;
let page: Page;
let complaints: string[] = [];
let opened = '';
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

/** Tests of the same device share a state. */
async function open(device: string) {
  if (device === opened) return;
  if (!opened) ({ page, complaints } = await openInside(site, text, ['runs'], { device }));
  else {
    await visitInside(page, text, undefined, { device });
    await page.locator(`.device[data-kind="${device}"]`).waitFor();
    await visitInside(page, text, ['runs'], { device });
  }
  opened = device;
  await page.locator('table.runs tr[data-step]').first().waitFor();
}

interface Row {
  title: string;
  step: string;
  count: number;
  microseconds: number;
  share: number;
}

const rows = (): Promise<Row[]> =>
  page.locator('table.runs tr[data-step]').evaluateAll((all) =>
    all.map((row) => {
      const { step, count, microseconds, share } = (row as HTMLElement).dataset;
      const title = row.querySelector('button')!.textContent;
      return { title, step: step!, count: Number(count), microseconds: Number(microseconds), share: Number(share) };
    }),
  );

const project = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Of every file of a step's source, what the page shows is the project's own. */
async function checkSources(language: 'wgsl' | 'cpu' | 'wasm'): Promise<string[]> {
  const section = page.locator(`.sources [data-language="${language}"]`);
  const files = await section.locator('.files button').allInnerTexts();
  const paths: string[] = [];
  for (const file of files) {
    await section.getByRole('button', { name: file, exact: true }).click();
    const source = section.locator(`pre[data-path$="/${file}"]`);
    const path = (await source.getAttribute('data-path'))!;
    await expect.poll(() => source.textContent()).toBe(await project(path));
    paths.push(path);
  }
  return paths;
}

/** Every step has its time, its share and its sources. */
async function expectSteps(device: string, attention: string): Promise<void> {
  await open(device);
  const all = await rows();
  const sum = all.reduce((total, { microseconds }) => total + microseconds, 0);
  expect(sum).toBeGreaterThan(0);
  for (const { title, microseconds, share } of all) expect(share, title).toBeCloseTo(microseconds / sum, 6);
  const total = Number(await page.locator('.runs-total').getAttribute('data-microseconds'));
  expect(Math.abs(total - sum)).toBeLessThan(1e-6 * sum);
  expect(all.find(({ title }) => title === attention)!.count).toBe(nLayer);
  expect(all.filter(({ step }) => step.includes('blocks.*')).every(({ count }) => count === nLayer)).toBe(true);
  expect(all.find(({ title }) => title.includes('Logits'))!.count).toBe(1);

  const row = page.locator('table.runs tr[data-step]').filter({ hasText: 'Q, K, V' });
  const times = await numbersOf(page, 'tr[data-step]:has-text("Q, K, V") .block-times > span', 'microseconds');
  expect(times.length).toBe(nLayer);
  const whole = Number(await row.getAttribute('data-microseconds'));
  expect(Math.abs(times.reduce((a, b) => a + b, 0) - whole)).toBeLessThan(1e-6 * whole);

  await row.getByRole('button').click();
  const wgsl = await checkSources('wgsl');
  expect(wgsl.some((path) => path.startsWith('shaders/linear-row'))).toBe(true);
  // What the device really compiled, its weight format among it.
  if (device === 'webgpu') expect(wgsl).toContain('shaders/weights/f16.wgsl');
  expect(await checkSources('cpu')).toContain('src/cpu/linear.ts');
  if (device === 'wasm') expect(await checkSources('wasm')).toContain('src/wasm/kernels/linear-row.ts');
  else expect(await page.locator('.sources [data-language="wasm"]').count()).toBe(0);
}

describe('how it runs', () => {
  test('on cpu every step has its time, share and source', () => expectSteps('cpu', 'Mask and softmax'));

  test('every step has a source in every language, and fits the screen with it', async () => {
    await open('cpu');
    const sources = page.locator('.sources pre');
    for (const { title } of await rows()) {
      await page.locator('table.runs tr[data-step]').getByRole('button', { name: title, exact: true }).first().click();
      await expect
        .poll(async () => (await sources.allTextContents()).filter((source) => source.length > 100).length)
        .toBe(2);
      expect(await page.locator('.sources [role="alert"]').count()).toBe(0);
    }
    await expectToFit(page);
  });

  test('measures again when asked to', async () => {
    await open('cpu');
    const before = await rows();
    await page.getByRole('button', { name: 'Measure again' }).click();
    const times = async () => (await rows()).map(({ microseconds }) => microseconds);
    await expect.poll(times).not.toEqual(before.map(({ microseconds }) => microseconds));
    expect((await rows()).map(({ step }) => step)).toEqual(before.map(({ step }) => step));
    await page.getByRole('textbox', { name: 'Text to look inside' }).fill('Another text');
    await page.getByText('Your text has changed since.').waitFor();
  });

  test('on wasm, too', () => expectSteps('wasm', 'Attention'));

  // Loading on a software GPU takes ten times what all of this does: one page of the tests is opened on it.
  test('on webgpu, too, and the text is completed there', async () => {
    await expectSteps('webgpu', 'Attention');
    const { cases } = JSON.parse(await project('public/models/tiny-tales/reference.json'));
    const { prompt, greedy_text } = cases[0] as { prompt: string; greedy_text: string };
    await visitInside(page, prompt, undefined, { device: 'webgpu', dials: 'temperature=0&max-new-tokens=24' });
    await page.getByRole('button', { name: /^Complete/ }).click();
    await expect.poll(() => page.locator('textarea').inputValue()).toBe(prompt + greedy_text);
    expect(await page.locator('.device').innerText()).toContain('WebGPU');
  });
});
