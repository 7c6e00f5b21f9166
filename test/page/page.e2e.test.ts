import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readModelFile } from '../fixtures.ts';
import { openSite, type Site } from '../site.ts';

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));

let site: Site;
let page: Page;
let complaints: string[] = [];
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
afterEach(async () => {
  await page.context().close();
  expect(complaints).toEqual([]);
});

/** Opens the page with a link's settings; anything the browser complains of fails the test. */
async function open(hash = '', { width = 1280, height = 800 } = {}): Promise<void> {
  complaints = [];
  page = await site.newPage({ viewport: { width, height } });
  page.on('console', (message) => {
    // A missing model is asked for on purpose in some tests; the browser logs every 404.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${site.url}#${hash}`);
}

/** The fixtures on another origin, as a model host serves files. */
async function modelHost(): Promise<{ url: string; close(): void }> {
  const server = createServer(async (request, response) => {
    const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
    const body = await readFile(fixture(decodeURI(request.url!.slice(1)))).catch(() => undefined);
    response.writeHead(body ? 200 : 404, { ...headers, 'content-length': body?.length ?? 0 });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}

const text = () => page.locator('textarea').inputValue();
const ready = () =>
  page
    .getByRole('button', { name: /^Complete/ })
    .and(page.locator(':enabled'))
    .waitFor();
const modelReady = () => page.getByText(/in memory/).waitFor();
const finished = async () => {
  await page.getByText(/tokens\/s/).waitFor();
  await ready(); // the button says Stop until the last token
};

async function reference(): Promise<{ prompt: string; greedy_text: string }> {
  const { cases } = JSON.parse(new TextDecoder().decode(await readModelFile('tiny-tales/reference.json'))) as {
    cases: { prompt: string; greedy_text: string }[];
  };
  return cases[0]!;
}

describe('the page', () => {
  test.each(['auto', 'webgpu', 'cpu'])('completes "Once upon a time" on %s', async (device) => {
    const { prompt, greedy_text } = await reference();
    await open(`prompt=${encodeURIComponent(prompt)}&temperature=0&max-new-tokens=24&device=${device}`);
    await modelReady();
    await page.getByRole('button', { name: /^Complete/ }).click();
    await finished();
    expect(await text()).toBe(prompt + greedy_text);
    const shown = await page.locator('body').innerText();
    expect(shown).toContain(device === 'webgpu' ? 'WebGPU' : device === 'cpu' ? 'JavaScript' : 'WebAssembly');
  });

  test('works by keyboard alone: type, complete, undo', async () => {
    await open('prompt=&temperature=0&max-new-tokens=8');
    await modelReady();
    await page.keyboard.type('One day');
    expect(await text()).toBe('One day');
    await page.keyboard.press('Control+Enter');
    await finished();
    const completed = await text();
    expect(completed.startsWith('One day')).toBe(true);
    expect(completed.length).toBeGreaterThan('One day'.length);
    await page.getByRole('button', { name: 'Undo' }).focus();
    await page.keyboard.press('Enter');
    expect(await text()).toBe('One day');
  });

  test('the same seed writes the same text, another seed another', async () => {
    const written = async (seed: number) => {
      await open(`prompt=The%20dog&temperature=1&max-new-tokens=16&seed=${seed}`);
      await modelReady();
      await page.getByRole('button', { name: /^Complete/ }).click();
      await finished();
      const result = await text();
      await page.context().close();
      return result;
    };
    const first = await written(5);
    expect(await written(6)).not.toBe(first);
    expect(await written(5)).toBe(first);
    await open();
  });

  test('Escape stops, and what was written stays', async () => {
    await open('prompt=Once%20upon%20a%20time&temperature=0&max-new-tokens=200&device=cpu');
    await modelReady();
    await page.locator('textarea').click();
    await page.keyboard.press('Control+Enter');
    await page.waitForFunction(() => document.querySelector('textarea')!.value.length > 'Once upon a time'.length);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Complete/ }).waitFor();
    const stopped = await text();
    expect(stopped.startsWith('Once upon a time,')).toBe(true);
    await page.getByRole('button', { name: 'Undo' }).click();
    expect(await text()).toBe('Once upon a time');
    await page.getByRole('button', { name: 'Redo' }).click();
    expect(await text()).toBe(stopped);
  });

  test('loads dropped files, and says what is wrong with wrong ones', async () => {
    await open();
    await modelReady();
    await page.getByRole('button', { name: 'Change model' }).click();
    await page.locator('input[type=file]').setInputFiles([fixture('tiny-gpt2/config.json'), fixture('README.md')]);
    await page.getByText('This is not a model Vitrine can read.').waitFor();
    await page.getByRole('button', { name: 'Change model' }).click();
    const files = ['config.json', 'model.safetensors', 'tokenizer.json'].map((name) => fixture(`tiny-gpt2/${name}`));
    await page.locator('input[type=file]').setInputFiles(files);
    await page.getByText('3 blocks of 3 heads, 96 wide').waitFor();

    const adapter = async (name: string) => {
      await page.getByRole('button', { name: 'Change model' }).click();
      const choosing = page.waitForEvent('filechooser');
      await page.getByRole('button', { name: 'Choose its files' }).click();
      const folder = `learning/${name}`;
      const own = ['adapter_config.json', 'adapter_model.safetensors'].map((file) => fixture(`${folder}/${file}`));
      await (await choosing).setFiles(own);
    };
    const named = page.getByRole('heading', { name: 'model.safetensors, with an adapter' });
    await adapter('tiny-gpt2/adapter-end');
    await named.waitFor();
    await adapter('llama-gqa/adapter-end');
    await page.getByText('This is not a model Vitrine can read.').waitFor();
    expect(await named.count()).toBe(1); // the one before stays
    await page.getByRole('button', { name: 'Change model' }).click();
    await page.getByRole('button', { name: 'Take it off' }).click();
    await page.getByRole('heading', { name: 'model.safetensors', exact: true }).waitFor();
  });

  test('loads a model from an address, after showing its size; a wrong address gets a sentence', async () => {
    const server = await modelHost();
    try {
      await open();
      await modelReady();
      await page.getByRole('button', { name: 'Change model' }).click();
      const field = page.locator('#hub-id');
      await field.fill(`${server.url}no-such-model/`);
      await field.press('Enter');
      await page.getByText(/There is no model at/).waitFor();
      await field.fill(`${server.url}tiny-gpt2/`);
      await field.press('Enter');
      await page.getByText(/is a download of 1\.8 MB/).waitFor();
      await page.getByRole('button', { name: /^Download/ }).click();
      const shape = page.getByText('3 blocks of 3 heads, 96 wide');
      await shape.waitFor();
      await page.evaluate(() => location.assign('#prompt=Hello')); // a link that names no model means the page's own
      await shape.waitFor({ state: 'detached' });
      await modelReady();
    } finally {
      server.close();
    }
  });

  test.each([390, 1920])('fits a screen of %i pixels, dark and light', async (width) => {
    await open('prompt=Once%20upon%20a%20time&temperature=0&max-new-tokens=40', { width });
    await modelReady();
    await page.getByRole('button', { name: /^Complete/ }).click();
    await finished();
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
    }
  });

  test('answers at the first visit; the time is printed, not judged', async () => {
    const start = performance.now();
    await open('prompt=Once%20upon%20a%20time&temperature=0&max-new-tokens=4');
    await ready();
    await modelReady();
    await page.getByRole('button', { name: /^Complete/ }).click();
    await page.waitForFunction(() => document.querySelector('textarea')!.value.length > 'Once upon a time'.length);
    console.log(`first visit to first token: ${Math.round(performance.now() - start)} ms`);
  });
});
