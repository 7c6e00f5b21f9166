import type { BrowserContextOptions, Page, Route } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeSafetensors, tinyCheckpoint } from '../load/tiny-checkpoint.ts';
import { openSite, type Site } from '../site.ts';
import { follow } from './inside.ts';
import { frame, stopClock } from './watch.ts';

let site: Site;
/** The page of most tests: each follows another link. */
let page: Page;
/** What the browser complains of: errors of scripts, of the Content-Security-Policy, of the network. */
let complaints: string[] = [];
/** Every address asked for outside the page's own origin. */
let outside: string[] = [];

beforeAll(async () => {
  site = await openSite();
  page = await open();
});
afterAll(() => site.close());

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

async function open(hash = '', options: BrowserContextOptions = {}): Promise<Page> {
  const permissions = ['clipboard-read', 'clipboard-write'];
  const page = await site.newPage({ viewport, permissions, ...options });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(site.url) && !request.url().startsWith('data:')) outside.push(request.url());
  });
  complaints = [];
  outside = [];
  await page.goto(`${site.url}#${hash}`);
  await page.locator('.device').waitFor();
  return page;
}

const viewport = { width: 1280, height: 800 };

/** Follows a link with a text, and waits until that stands on the page, on its device. */
async function visit(hash: string, size = viewport): Promise<void> {
  complaints = [];
  outside = [];
  await page.setViewportSize(size);
  await follow(page, hash);
  const link = new URLSearchParams(hash);
  await expect.poll(() => text()).toBe(link.get('prompt'));
  await page.locator(`.device[data-kind=${link.get('device') ?? 'wasm'}]`).waitFor();
}

const button = (name: string | RegExp) => page.getByRole('button', { name });
const text = (of = page) => of.locator('textarea').inputValue();
/** What stands on the page in the model's ink. */
const continuation = async (of = page) => (await of.locator('.flow .model').allTextContents()).join('');

async function complete(of = page): Promise<void> {
  const button = of.getByRole('button', { name: /^Complete/ });
  await button.click();
  await of.getByText(/tokens?\/s/).waitFor();
  await button.waitFor();
}

describe('a visitor of the page', () => {
  test('makes no request to anywhere else, and sees prompt and continuation apart, in one text', async () => {
    const own = await open('prompt=The%20cat&temperature=0&max-new-tokens=12', { serviceWorkers: 'allow' });
    await complete(own);
    expect(outside).toEqual([]);
    expect(complaints).toEqual([]);
    await expect.poll(async () => `The cat${await continuation(own)}`).toBe(await text(own));
    await expect.poll(() => own.locator('.flow').innerText()).toBe(await text(own));
    const [ink, model] = await Promise.all(
      ['.flow .writer', '.flow .model'].map((part) =>
        own.locator(part).evaluate((element) => getComputedStyle(element).color),
      ),
    );
    expect(ink).not.toBe(model);
    await own.context().close();
  });

  test('has markup in prompts shown as text, never as markup', async () => {
    const prompt = '<img src=x onerror="document.title=1"><b>bold</b>';
    await visit(`prompt=${encodeURIComponent(prompt)}&temperature=0&max-new-tokens=4`);
    await complete();
    await expect.poll(() => page.locator('.flow').innerText()).toContain(prompt);
    await expect.poll(() => page.locator('.flow img, .flow b').count()).toBe(0);
    await expect.poll(() => page.title()).toBe('Vitrine');
  });

  test('runs no script that the page did not bring', async () => {
    const ran = await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.intruder = true';
      document.body.append(script);
      script.remove();
      return 'intruder' in window;
    });
    expect(ran).toBe(false);
    await expect.poll(() => complaints.join()).toContain('Content Security Policy');
  });

  test('stops with the button, writes another, undoes, starts over', async () => {
    await visit('prompt=One%20day&temperature=1&max-new-tokens=40&seed=3&device=cpu');
    // From within the page, which is there before the run is over. Another completion may well begin with the same word or two.
    await page.evaluate(async () => {
      const button = document.querySelector<HTMLElement>('.shelf .primary')!;
      const area = document.querySelector('textarea')!;
      button.click();
      while (area.value.length <= 50) await new Promise((resolve) => setTimeout(resolve));
      button.click();
    });
    await page.locator('.figures').getByText('stopped').waitFor();
    const first = await text();
    await button('Another').click();
    await expect.poll(async () => (await text()).startsWith(first)).toBe(false);
    await button(/^Complete/).waitFor();
    await expect.poll(() => text()).toMatch(/^One day/);
    await button('Undo').click();
    await expect.poll(() => text()).toBe('One day');
    await button('Start over').click();
    await expect.poll(() => text()).toBe('Once upon a time');
    await button('Undo').click();
    await expect.poll(() => text()).toBe('One day');
  });

  test('copies a link that writes the same again', async () => {
    await visit('prompt=The%20king&temperature=0.9&top-k=30&max-new-tokens=16&seed=11');
    await complete();
    const written = await text();
    await button('Copy link').click();
    await page.getByText('Link copied').waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    await visit('prompt=A&seed=1');
    await visit(link.slice(link.indexOf('#') + 1));
    await expect.poll(() => text()).toBe('The king');
    await complete();
    await expect.poll(() => text()).toBe(written);
  });

  test('keeps the settings in the address while they change', async () => {
    await visit('prompt=A&seed=1');
    await page.getByRole('textbox', { name: 'Temperature, value' }).fill('0.35');
    await page.keyboard.press('Enter');
    await page.locator('#topK').focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.url()).toContain('temperature=0.35');
    await expect.poll(() => page.url()).toContain('top-k=41');
    await expect.poll(() => page.locator('#temperature').inputValue()).toBe('0.35');
  });

  test('is asked before a link downloads another model', async () => {
    await visit('prompt=Hello&model=openai-community/gpt2');
    await page.getByText('This link asks for the model openai-community/gpt2.').waitFor();
    expect(outside).toEqual([]);
    await page.route('https://huggingface.co/**', answerAsHost);
    await button('Show its size').click();
    await page.getByText('openai-community/gpt2 is a download of 1.6 MB.').waitFor();
    await page.getByText('gpt2, a decoder: it writes on; 0.4 million parameters.').waitFor();
    expect(outside.filter((address) => !address.includes('/openai-community/gpt2/'))).toEqual([]);
    await page.unroute('https://huggingface.co/**');
    await button('Close').click();
  });

  test('without a network is told so, and keeps the model that is there', async () => {
    await visit('prompt=The%20sun&temperature=0&max-new-tokens=4');
    await button('Change model').click();
    await page.locator('#hub-id').waitFor();
    await page.context().setOffline(true);
    await button('GPT-2 small').click();
    await page.getByText('There is no network connection. The embedded model works without one.').waitFor();
    await page.keyboard.press('Escape');
    await complete();
    await expect.poll(() => continuation()).not.toBe('');
    await page.context().setOffline(false);
  });

  test('may cancel a load, which leaves the model that was there', async () => {
    await visit('prompt=The%20moon&temperature=0&max-new-tokens=4');
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let found = false;
    const ends: Promise<void>[] = [];
    await page.route('**/slow/**', async (route) => {
      if (!found) return answerAsHost(route);
      const end = held.then(() => route.abort()).catch(() => {}); // it was given up
      ends.push(end);
      return end;
    });
    await button('Change model').click();
    await page.locator('#hub-id').fill(`${site.url}slow/`);
    await page.keyboard.press('Enter');
    await button('Download').waitFor();
    found = true;
    await button('Download').click();
    await expect.poll(() => ends.length).toBeGreaterThan(0);
    await page.getByText(/^Loading .*slow/).waitFor();
    await button('Cancel').click();
    await page.getByText(/^Loading/).waitFor({ state: 'detached' });
    release();
    await Promise.all(ends);
    await frame(page);
    expect(await page.locator('.notice.failure').count()).toBe(0);
    await complete();
    await expect.poll(() => continuation()).not.toBe('');
    await page.unroute('**/slow/**');
  });

  test('goes through everything with the Tab key, and sees where the focus is', async () => {
    await visit('prompt=A&temperature=0.5&max-new-tokens=4');
    await page.locator('textarea').focus();
    await page.keyboard.press('Escape'); // an offer would have the first Tab
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

  test('a reload while it writes keeps what it wrote until then, to be undone, and the theme', async () => {
    await visit('prompt=Once upon a time&max-new-tokens=200');
    await expect.poll(() => page.url()).not.toContain('prompt'); // else the reload opens the link again
    const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await paper();
    await button('Dark').click();
    await expect.poll(paper).not.toBe(light);
    const dark = await paper();
    await button(/^Complete/).click();
    await page.locator('.flow .model').first().waitFor();
    const seen = await text();
    await page.reload();
    await expect.poll(() => text()).toContain(seen);
    await button('Undo').click();
    await expect.poll(() => text()).toBe('Once upon a time');
    await button('Light').waitFor();
    await expect.poll(paper).toBe(dark);
    await button('Light').click();
    await expect.poll(paper).toBe(light);
  });

  test.each(['', '&colour=rank'])('has a word longer than the line broken alike in both layers %s', async (colour) => {
    await visit(`prompt=Look:%20${'x'.repeat(60)}${colour}`, { width: 320, height: 700 });
    if (colour) await page.locator('.flow .token').first().waitFor();
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    const lines = () =>
      page.evaluate(() => {
        const [flow, area] = [document.querySelector('.flow')!, document.querySelector('textarea')!];
        const line = Number.parseFloat(getComputedStyle(flow).lineHeight);
        const end = document.querySelector('.end')!.getBoundingClientRect();
        const middle = (end.top + end.bottom) / 2 - flow.getBoundingClientRect().top;
        area.style.cssText = 'height: 0; min-height: 0';
        const typed = Math.round(area.scrollHeight / line);
        area.style.cssText = '';
        return { seen: Math.ceil(middle / line), typed };
      });
    await expect.poll(async () => (await lines()).seen).toBeGreaterThan(2);
    await expect.poll(async () => ((found) => found.seen - found.typed)(await lines())).toBe(0);
  });

  test('on a narrow phone scrolls down only, with everything in reach', async () => {
    const phone = await open('prompt=Once&temperature=0&max-new-tokens=60', { viewport: { width: 360, height: 740 } });
    await complete(phone);
    const width = () => phone.evaluate(() => document.documentElement.scrollWidth);
    await expect.poll(width).toBe(360);
    await phone.getByText('Sampling').click();
    await phone.locator('#temperature').waitFor();
    await expect.poll(width).toBe(360);
    const bottom = () => phone.locator('.shelf').evaluate((shelf) => shelf.getBoundingClientRect().bottom);
    await expect.poll(bottom).toBeLessThanOrEqual(740);
    await phone.context().close();
  });

  // The last on this page, which is watched from here on.
  test('a click on Stop that comes too late does not begin another completion', async () => {
    await visit('prompt=One%20day&temperature=1&max-new-tokens=8&seed=3');
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
    await expect.poll(() => text()).toBe('One day');
  });
});

test('a browser without WebGPU says so where the GPU is asked for, can run on the processor, and keeps that', async () => {
  const own = await site.newPage();
  const button = (name: string) => own.getByRole('button', { name });
  await own.route('**/worker-*.js', async (route) => {
    const response = await route.fetch();
    const without = "Object.defineProperty(navigator, 'gpu', { value: undefined });";
    await route.fulfill({ response, body: without + (await response.text()) });
  });
  await own.goto(`${site.url}#prompt=The%20cat&temperature=0&max-new-tokens=4&device=webgpu`);
  const none = own.getByText('This browser offers no GPU to the page.');
  await own.getByRole('alert').getByText('This browser offers no GPU to the page.').waitFor();
  await button('Run on the processor').click();
  await own.locator('.device[data-kind=wasm]').waitFor();
  await none.waitFor({ state: 'detached' });
  await complete(own);
  await expect.poll(() => continuation(own)).not.toBe('');

  // Asked for later, it leaves the device that is there.
  await button('Change model').click();
  const device = own.locator('#device');
  await device.selectOption('webgpu');
  await none.waitFor();
  await expect.poll(() => device.inputValue()).toBe('wasm');
  await button('Close').click();
  await expect.poll(() => own.url()).toContain('device=wasm');
  await expect.poll(() => own.url()).not.toContain('prompt'); // written anew
  await own.context().close();
});
