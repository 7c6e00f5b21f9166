import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readModelFile } from '../fixtures.ts';
import { openSite, type Site } from '../site.ts';
import { complaintsOf, expectToFit, follow } from './inside.ts';

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));

let site: Site;
/** One for all tests: each begins with another link. */
let page: Page;
let complaints: string[];
beforeAll(async () => {
  site = await openSite();
  page = await site.newPage({ viewport: { width: 1280, height: 800 } });
  complaints = complaintsOf(page, /Failed to load resource/); // a missing model is asked for on purpose in some tests
  await page.goto(`${site.url}#prompt=&temperature=0&max-new-tokens=8`);
  await page.getByText(/in memory/).waitFor();
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

/** Follows a link, and waits until its text stands on the page, on its device. */
async function visit(prompt: string, dials: string, kind = 'wasm'): Promise<void> {
  await follow(page, `prompt=${encodeURIComponent(prompt)}&${dials}`);
  await expect.poll(text).toBe(prompt);
  await page.locator(`.device[data-kind=${kind}]`).waitFor();
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
/** Writes on to the end: the button says Stop until the last token. */
async function complete(): Promise<void> {
  await page.getByRole('button', { name: /^Complete/ }).click();
  await finished();
}
const finished = async () => {
  await page.getByText(/tokens\/s/).waitFor();
  await page.getByRole('button', { name: /^Complete/ }).waitFor();
};

async function reference(): Promise<{ prompt: string; greedy_text: string }> {
  const { cases } = JSON.parse(new TextDecoder().decode(await readModelFile('tiny-tales/reference.json'))) as {
    cases: { prompt: string; greedy_text: string }[];
  };
  return cases[0]!;
}

describe('the page', () => {
  test('works by keyboard alone: type, complete, undo', async () => {
    await page.keyboard.type('One day');
    await expect.poll(text).toBe('One day');
    await page.keyboard.press('Control+Enter');
    await finished();
    await expect.poll(text).toMatch(/^One day./);
    await page.getByRole('button', { name: 'Undo' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(text).toBe('One day');
  });

  test('the same seed writes the same text, another seed another', async () => {
    const written = async (seed: number) => {
      await visit('The dog', `temperature=1&max-new-tokens=16&seed=${seed}`);
      await complete();
      return text();
    };
    const first = await written(5);
    expect(await written(6)).not.toBe(first);
    expect(await written(5)).toBe(first);
  });

  // On WebGPU it is done in inside-runs, whose page has the model there already.
  test.each([
    ['auto', 'wasm', 'WebAssembly'],
    ['cpu', 'cpu', 'JavaScript'],
  ])('completes "Once upon a time" on %s', async (device, kind, name) => {
    const { prompt, greedy_text } = await reference();
    await visit(prompt, `temperature=0&max-new-tokens=24&device=${device}`, kind);
    await complete();
    await expect.poll(text).toBe(prompt + greedy_text);
    await expect.poll(() => page.locator('body').innerText()).toContain(name);
  });

  test('Escape stops, and what was written stays', async () => {
    await visit('Once upon a time', 'temperature=0&max-new-tokens=200&device=cpu', 'cpu');
    // All from within the page, which is there before so short a run is over.
    await page.locator('textarea').evaluate(async (area: HTMLTextAreaElement) => {
      const press = (key: string, ctrlKey = false) =>
        area.dispatchEvent(new KeyboardEvent('keydown', { key, ctrlKey, bubbles: true, cancelable: true }));
      press('Enter', true);
      while (area.value === 'Once upon a time') await new Promise((resolve) => setTimeout(resolve));
      press('Escape');
    });
    await page.locator('.figures').getByText('stopped').waitFor();
    await page.getByRole('button', { name: /^Complete/ }).waitFor();
    const stopped = await text();
    expect(stopped).toMatch(/^Once upon a time,/);
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect.poll(text).toBe('Once upon a time');
    await page.getByRole('button', { name: 'Redo' }).click();
    await expect.poll(text).toBe(stopped);
  });

  test('fits a phone and a large screen, dark and light', async () => {
    await visit('Once upon a time', 'temperature=0&max-new-tokens=40');
    await complete();
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      await expectToFit(page);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  test('loads a model from an address, after showing its size; a wrong address gets a sentence', async () => {
    const server = await modelHost();
    try {
      await visit('Once', '');
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
      await visit('Hello', ''); // a link that names no model means the page's own
      await shape.waitFor({ state: 'detached' });
      await page.getByText(/in memory/).waitFor();
    } finally {
      server.close();
    }
  });

  test('loads dropped files, and says what is wrong with wrong ones', async () => {
    await visit('Once', '');
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
    await expect.poll(() => named.count()).toBe(1); // the one before stays
    await page.getByRole('button', { name: 'Change model' }).click();
    await page.getByRole('button', { name: 'Take it off' }).click();
    await page.getByRole('heading', { name: 'model.safetensors', exact: true }).waitFor();
  });
});
