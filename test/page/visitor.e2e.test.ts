import type { Page, Route } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeSafetensors, tinyCheckpoint } from '../load/tiny-checkpoint.ts';
import { openSite, type Site } from '../site.ts';
import { stopClock } from './watch.ts';

let site: Site;
let page: Page;
/** What the browser complains of: errors of scripts, of the Content-Security-Policy, of the network. */
let complaints: string[] = [];
/** Every address asked for outside the page's own origin. */
let outside: string[] = [];

beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
afterEach(() => page.context().close());

const { config, tensors } = tinyCheckpoint({ vocabSize: 50257 });
const checkpoint = new Map<string, Buffer>([
  ['config.json', Buffer.from(JSON.stringify(config))],
  ['model.safetensors', Buffer.from(encodeSafetensors(tensors))],
]);

/** A small model's files, whoever is asked for them. */
function answerAsHost(route: Route): Promise<void> {
  const body = checkpoint.get(new URL(route.request().url()).pathname.split('/').at(-1)!);
  const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
  return route.fulfill({ status: body ? 200 : 404, headers, body: body ?? '' });
}

type Options = { width?: number; height?: number; serviceWorkers?: 'allow' | 'block' };

async function open(hash = '', options: Options = {}): Promise<void> {
  const { width = 1280, height = 800, serviceWorkers = 'block' } = options;
  complaints = [];
  outside = [];
  page = await site.newPage({
    viewport: { width, height },
    serviceWorkers,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(site.url) && !request.url().startsWith('data:')) outside.push(request.url());
  });
  await page.goto(`${site.url}#${hash}`);
  await page.locator('.device').waitFor();
}

const button = (name: string | RegExp) => page.getByRole('button', { name });
const text = () => page.locator('textarea').inputValue();
/** What stands on the page in the model's ink. */
const continuation = async () => (await page.locator('.flow .model').allTextContents()).join('');

async function complete(): Promise<void> {
  await button(/^Complete/).click();
  await page.getByText(/tokens?\/s/).waitFor();
  await button(/^Complete/).waitFor();
}

describe('a visitor of the page', () => {
  test('makes no request to anywhere else, and sees prompt and continuation apart, in one text', async () => {
    await open('prompt=The%20cat&temperature=0&max-new-tokens=12', { serviceWorkers: 'allow' });
    await complete();
    expect(outside).toEqual([]);
    expect(complaints).toEqual([]);
    expect(`The cat${await continuation()}`).toBe(await text());
    expect(await page.locator('.flow').innerText()).toBe(await text());
    const [ink, model] = await Promise.all(
      ['.flow .writer', '.flow .model'].map((part) =>
        page.locator(part).evaluate((element) => getComputedStyle(element).color),
      ),
    );
    expect(ink).not.toBe(model);
  });

  test('has markup in prompts shown as text, never as markup', async () => {
    const prompt = '<img src=x onerror="document.title=1"><b>bold</b>';
    await open(`prompt=${encodeURIComponent(prompt)}&temperature=0&max-new-tokens=4`);
    await complete();
    expect(await page.locator('.flow').innerText()).toContain(prompt);
    expect(await page.locator('.flow img, .flow b').count()).toBe(0);
    expect(await page.title()).toBe('Vitrine');
  });

  test('runs no script that the page did not bring', async () => {
    await open();
    const ran = await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.intruder = true';
      document.body.append(script);
      return 'intruder' in window;
    });
    expect(ran).toBe(false);
    expect(complaints.join()).toContain('Content Security Policy');
  });

  test('stops with the button, writes another, undoes, starts over', async () => {
    await open('prompt=One%20day&temperature=1&max-new-tokens=100&seed=3&device=cpu');
    await button(/^Complete/).click();
    // Another completion may well begin with the same word or two.
    await page.waitForFunction(() => document.querySelector('textarea')!.value.length > 50);
    await button(/^Stop/).click();
    await button(/^Complete/).waitFor();
    const first = await text();
    await button('Another').click();
    await page.waitForFunction((before) => !document.querySelector('textarea')!.value.startsWith(before), first);
    await button(/^Complete/).waitFor();
    expect((await text()).startsWith('One day')).toBe(true);
    await button('Undo').click();
    expect(await text()).toBe('One day');
    await button('Start over').click();
    expect(await text()).toBe('Once upon a time');
    await button('Undo').click();
    expect(await text()).toBe('One day');
  });

  test('a click on Stop that comes too late does not begin another completion', async () => {
    await open('prompt=One%20day&temperature=1&max-new-tokens=8&seed=3');
    await page.evaluate(() => {
      const button = document.querySelector<HTMLButtonElement>('.primary')!;
      const states: unknown[] = [];
      Object.assign(globalThis, { states });
      new MutationObserver(() => {
        if (states.at(-1) === button.dataset.busy) return;
        states.push(button.dataset.busy);
        if (button.dataset.busy === 'false') button.click();
      }).observe(button, { attributes: true });
    });
    await stopClock(page); // the click comes at once, however busy the machine is
    await complete();
    expect(await page.evaluate(() => (globalThis as unknown as { states: string[] }).states)).toEqual([
      'true',
      'false',
    ]);
    await button('Undo').click();
    expect(await text()).toBe('One day');
  });

  test('copies a link that writes the same again', async () => {
    await open('prompt=The%20king&temperature=0.9&top-k=30&max-new-tokens=16&seed=11');
    await complete();
    const written = await text();
    await button('Copy link').click();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    await page.context().close();
    await open(link.slice(link.indexOf('#') + 1));
    expect(await text()).toBe('The king');
    await complete();
    expect(await text()).toBe(written);
  });

  test('keeps the settings in the address while they change', async () => {
    await open('prompt=A&seed=1');
    await page.getByRole('textbox', { name: 'Temperature, value' }).fill('0.35');
    await page.keyboard.press('Enter');
    await page.locator('#topK').focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.url()).toContain('temperature=0.35');
    await expect.poll(() => page.url()).toContain('top-k=41');
    expect(await page.locator('#temperature').inputValue()).toBe('0.35');
  });

  test('is asked before a link downloads another model', async () => {
    await open('prompt=Hello&model=openai-community/gpt2');
    await page.getByText('This link asks for the model openai-community/gpt2.').waitFor();
    expect(outside).toEqual([]);
    await page.route('https://huggingface.co/**', answerAsHost);
    await button('Show its size').click();
    await page.getByText('openai-community/gpt2 is a download of 1.6 MB.').waitFor();
    await page.getByText('gpt2, a decoder: it writes on; 0.4 million parameters.').waitFor();
    expect(outside.every((address) => address.includes('/openai-community/gpt2/'))).toBe(true);
  });

  test('without a network is told so, and keeps the model that is there', async () => {
    await open('prompt=The%20sun&temperature=0&max-new-tokens=4');
    await button('Change model').click();
    await page.locator('#hub-id').waitFor();
    await page.context().setOffline(true);
    await button('GPT-2 small').click();
    await page.getByText('There is no network connection. The embedded model works without one.').waitFor();
    await page.keyboard.press('Escape');
    await complete();
    expect((await continuation()).length).toBeGreaterThan(0);
  });

  test('may cancel a load, which leaves the model that was there', async () => {
    await open('prompt=The%20sun&temperature=0&max-new-tokens=4');
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let found = false;
    await page.route('**/slow/**', async (route) => {
      if (!found) return answerAsHost(route);
      await held;
      return route.abort();
    });
    await button('Change model').click();
    await page.locator('#hub-id').fill(`${site.url}slow/`);
    await page.keyboard.press('Enter');
    await button('Download').waitFor();
    found = true;
    await button('Download').click();
    await page.getByText(/^Loading .*slow/).waitFor();
    await button('Cancel').click();
    await page.getByText(/^Loading/).waitFor({ state: 'detached' });
    release();
    expect(await page.locator('.notice.failure').count()).toBe(0);
    await complete();
    expect((await continuation()).length).toBeGreaterThan(0);
  });

  test('goes through everything with the Tab key, and sees where the focus is', async () => {
    await open('prompt=A&temperature=0.5&max-new-tokens=4');
    const passed: string[] = [];
    for (let i = 0; i < 40 && !passed.includes('seed'); i++) {
      await page.keyboard.press('Tab');
      const { name, visible } = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        const bar = getComputedStyle(element.parentElement!, '::before').width;
        const visible = (outlineStyle !== 'none' && outlineWidth !== '0px') || bar === '2px';
        return { name: element.id || element.textContent || element.tagName, visible };
      });
      expect(visible, `focus on ${name}`).toBe(true);
      passed.push(name);
    }
    for (const stop of ['Change model', 'temperature', 'maxNewTokens', 'seed']) expect(passed).toContain(stop);
  });

  test('a reload while it writes keeps what it wrote until then, to be undone', async () => {
    await open('prompt=Once upon a time&max-new-tokens=200');
    await button(/^Complete/).click();
    await page.locator('.flow .model').first().waitFor();
    const seen = await text();
    await page.reload();
    await expect.poll(text).toContain(seen);
    await button('Undo').click();
    expect(await text()).toBe('Once upon a time');
  });

  test('switches the theme and finds it again', async () => {
    await open();
    const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await paper();
    await button('Dark').click();
    const dark = await paper();
    expect(dark).not.toBe(light);
    await page.reload();
    await button('Light').waitFor();
    expect(await paper()).toBe(dark);
  });

  test.each(['', '&colour=rank'])('has a word longer than the line broken alike in both layers %s', async (colour) => {
    await open(`prompt=Look:%20${'x'.repeat(60)}${colour}`, { width: 320, height: 700 });
    if (colour) await page.locator('.flow .token').first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    const [seen, typed] = await page.evaluate(() => {
      const [flow, area] = [document.querySelector('.flow')!, document.querySelector('textarea')!];
      const line = Number.parseFloat(getComputedStyle(flow).lineHeight);
      const end = document.querySelector('.end')!.getBoundingClientRect();
      area.style.cssText = 'height: 0; min-height: 0';
      const middle = (end.top + end.bottom) / 2 - flow.getBoundingClientRect().top;
      return [Math.ceil(middle / line), Math.round(area.scrollHeight / line)];
    });
    expect(seen).toBeGreaterThan(2);
    expect(seen).toBe(typed);
  });

  test('on a narrow phone scrolls down only, with everything in reach', async () => {
    await open('prompt=Once&temperature=0&max-new-tokens=60', { width: 360, height: 740 });
    await complete();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await page.getByText('Sampling').click();
    await page.locator('#temperature').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    const bottom = await page.locator('.shelf').evaluate((shelf) => shelf.getBoundingClientRect().bottom);
    expect(bottom).toBeLessThanOrEqual(740);
  });
});

describe('a browser without WebGPU', () => {
  beforeEach(async () => {
    page = await site.newPage();
    await page.route('**/worker-*.js', async (route) => {
      const response = await route.fetch();
      const without = "Object.defineProperty(navigator, 'gpu', { value: undefined });";
      await route.fulfill({ response, body: without + (await response.text()) });
    });
  });

  test('keeps the device that it had when the GPU was asked for later', async () => {
    await page.goto(`${site.url}#prompt=The%20cat&device=wasm`);
    await page.locator('.device[data-kind=wasm]').waitFor();
    await button('Change model').click();
    await page.locator('#device').selectOption('webgpu');
    await page.getByText('This browser offers no GPU to the page.').waitFor();
    expect(await page.locator('#device').inputValue()).toBe('wasm');
    await button('Close').click();
    await expect.poll(() => page.url()).toContain('device=wasm'); // written anew
    expect(page.url()).not.toContain('prompt');
  });

  test('is told so where the GPU was asked for, and can run on the processor', async () => {
    await page.goto(`${site.url}#prompt=The%20cat&temperature=0&max-new-tokens=4&device=webgpu`);
    await page.getByRole('alert').getByText('This browser offers no GPU to the page.').waitFor();
    await button('Run on the processor').click();
    await page.locator('.device[data-kind=wasm]').waitFor();
    await complete();
    expect((await continuation()).length).toBeGreaterThan(0);
  });
});
