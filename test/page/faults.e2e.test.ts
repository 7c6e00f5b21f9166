import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from '../site.ts';
import { complaintsOf } from './inside.ts';
import { frame } from './watch.ts';

const text = 'Once upon a time there was a little girl';

let site: Site;
let page: Page;
let complaints: string[] = [];
beforeAll(async () => {
  site = await openSite();
  page = await opened('colour=probability&temperature=0');
  complaints = complaintsOf(page, /404/);
});
afterAll(async () => {
  expect(complaints).toEqual([]);
  await site.close();
});

async function opened(hash: string, prompt = text, options: Parameters<Site['newPage']>[0] = {}): Promise<Page> {
  const page = await site.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  await page.goto(`${site.url}#prompt=${encodeURIComponent(prompt)}&device=wasm&${hash}`);
  await page.getByText(/in memory/).waitFor();
  return page;
}

const area = () => page.locator('textarea');
const button = (name: string | RegExp) => page.getByRole('button', { name });

test('with colouring on, a click places the caret, and Escape leaves it there', async () => {
  const token = page.locator('.flow [data-token="4"]');
  await token.click({ force: true, position: { x: 6, y: 6 } }); // the text's own field lies over it
  await page.locator('.alternatives').waitFor();
  const caret = () => area().evaluate((one: HTMLTextAreaElement) => [one.selectionStart, one.selectionEnd]);
  const [at, end] = await caret();
  expect(at).toBe(end);
  expect(at).toBeGreaterThan(0);
  expect(at).toBeLessThan(text.length - 5);
  await page.keyboard.press('Escape');
  await expect.poll(() => page.locator('.alternatives').count()).toBe(0);
  await expect.poll(caret).toEqual([at, end]);
  await page.keyboard.type('!');
  await expect.poll(() => area().inputValue()).toBe(`${text.slice(0, at)}!${text.slice(at)}`);
  await area().fill(text);
});

test('Control and Enter in a dial completes with what was typed there', async () => {
  const length = page.getByRole('textbox', { name: 'Length, value' });
  await length.fill('3');
  await length.press('Control+Enter');
  await page.locator('.figures').getByText('3 tokens', { exact: true }).waitFor();
  await expect.poll(() => page.locator('#maxNewTokens').inputValue()).toBe('3');
});

test('an input method shows its clause, and nothing is offered before it is done', async () => {
  await area().fill(text);
  await area().press('End');
  await page.locator('.ghost').waitFor();
  const session = await page.context().newCDPSession(page);
  await session.send('Input.imeSetComposition', { text: 'に', selectionStart: 1, selectionEnd: 1 });
  await page.locator('.surface[data-composing="true"]').waitFor();
  const ink = () => area().evaluate((one) => getComputedStyle(one).color);
  await expect.poll(ink).not.toMatch(/, 0\)$|transparent/);
  await session.send('Input.imeSetComposition', { text: 'にほ', selectionStart: 2, selectionEnd: 2 });
  await frame(page);
  expect(await page.locator('.ghost').count()).toBe(0);
  await session.send('Input.insertText', { text: '日本' });
  await page.locator('.surface[data-composing="false"]').waitFor();
  await page.locator('.ghost').waitFor();
  await expect.poll(ink).toMatch(/, 0\)$/);
  await session.detach();
  await area().fill(text);
});

test('a paragraph from right to left goes its own way, in the letters that are seen as in the field', async () => {
  await area().fill('One two\nשלום');
  const way = (of: string) => page.locator(of).evaluate((one) => getComputedStyle(one).unicodeBidi);
  await expect.poll(() => way('.flow')).toBe(await way('textarea'));
  const free = () =>
    page.locator('.flow').evaluate((flow) => {
      const range = document.createRange();
      range.selectNodeContents(flow);
      const lines = [...range.getClientRects()];
      const edge = Math.max(...lines.map(({ right }) => right)) - flow.getBoundingClientRect().left;
      return flow.clientWidth - edge;
    });
  await expect.poll(free).toBeLessThan(2);
  await area().fill(text);
});

test('a look-up that is left shows no Download when its answer comes', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const ends: Promise<void>[] = [];
  await page.route('**/held/**', (route) => {
    const end = held.then(() => route.fulfill({ status: 404, body: '' })).catch(() => {}); // it was given up
    ends.push(end);
    return end;
  });
  await button('Change model').click();
  const field = page.locator('#hub-id');
  await field.fill(`${site.url}held/`);
  await field.press('Enter');
  await page.getByText('Asking what it is').waitFor();
  await expect.poll(() => ends.length).toBeGreaterThan(0);
  await field.press('End');
  await page.keyboard.type('x');
  await page.getByText('Asking what it is').waitFor({ state: 'detached' });
  release();
  await Promise.all(ends);
  await frame(page);
  expect(await button('Download').count()).toBe(0);
  expect(await page.locator('.found').innerText()).toBe('');
  await button('Close').click();
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Change model');
});

test('*Look inside* promises nothing that it does not do, and what opened closes again', async () => {
  await expect.poll(() => button('Look inside').getAttribute('aria-expanded')).toBeNull();
  await button('Look inside').click();
  await page.locator('.whole[data-stale="false"]').waitFor();
  const slot = page.locator('.inside-slot > button').first();
  await expect.poll(() => slot.getAttribute('aria-expanded')).toBe('true');
  await slot.click();
  await expect.poll(() => slot.getAttribute('aria-expanded')).toBe('false');
  await expect.poll(() => page.locator('.inside').count()).toBe(0);
  await slot.click();
});

test('what Complete writes first is said of the last token alone; a fine strip has a loupe', async () => {
  await page.locator('#station-output > h3 button').click();
  const draw = page.locator('#station-output .draw');
  await draw.getByText('It is what Complete writes first with these settings.').waitFor();
  await page.locator('.bar .ribbon').getByRole('radio').nth(2).click();
  await draw.getByText('This is a place within your text').waitFor();
  await expect.poll(() => draw.getByText('It is what Complete writes first').count()).toBe(0);
  const strip = page.locator('#station-output .matrix:has(canvas[data-tensor="logits"])');
  await strip.hover();
  await expect.poll(() => strip.locator('.loupe > span').count()).toBe(9);
});

test('who scrolls away while the model writes, by whatever means, is not taken back', async () => {
  const long = await opened('temperature=0&max-new-tokens=90', 'The cat sat on the mat. '.repeat(20), {
    viewport: { width: 800, height: 400 },
  });
  const stays = await long.evaluate(async () => {
    const length = () => document.querySelector('textarea')!.value.length;
    const next = async () => {
      for (const before = length(); length() < before + 8; ) await new Promise(requestAnimationFrame);
    };
    document.querySelector<HTMLElement>('.shelf .primary')!.click(); // from within: the run may be over soon
    await next();
    const followed = scrollY;
    scrollTo(0, 0); // as the scrollbar does: no wheel, no key
    await next();
    return { followed, scrollY };
  });
  expect(stays.followed).toBeGreaterThan(0);
  expect(stays.scrollY).toBe(0);
  await long.context().close();
});

test('why a text could not be completed, and its details, stand above the shelf', async () => {
  const long = await opened('', 'The cat sat on the mat. '.repeat(80), { viewport: { width: 390, height: 844 } });
  const complete = long.getByRole('button', { name: /^Complete/ });
  await long.evaluate(() => scrollTo(0, 0));
  await complete.click();
  const details = long.locator('.notice.failure summary');
  await details.waitFor();
  const gap = async () => (await complete.boundingBox())!.y - (await details.boundingBox())!.y;
  await expect.poll(gap).toBeGreaterThan(20);
  await long.context().close();
});

test('a drawing and a lesson whose numbers could not be read say why, in place of reading without an end', async () => {
  const inside = await opened('inside=block&block=1');
  await inside.locator('#station-block canvas').first().waitFor();
  await inside.evaluate(() => {
    const failure = { code: 'out-of-memory', message: 'There is no memory.' };
    Worker.prototype.postMessage = (message: { port: MessagePort }) => message.port.postMessage({ failure });
  });
  await inside.locator('.bar').getByRole('button', { name: 'Next block' }).click();
  await inside.locator('.inside > [role="alert"]', { hasText: 'There is no memory.' }).waitFor();
  expect(await inside.getByText('Reading the text').count()).toBe(0);
  await inside.locator('.lessons').getByRole('button', { name: 'Masked attention' }).click();
  await inside.locator('.lesson').getByText('could not be read: There is no memory.').waitFor();
  await inside.context().close();
});

test('a phone is told of no key that it does not have', async () => {
  const phone = await opened('', text, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  expect(await phone.evaluate(() => matchMedia('(pointer: coarse)').matches)).toBe(true);
  await phone.locator('textarea').fill(`${text} who`);
  const offer = phone.locator('.offer');
  await offer.getByText('Take these words').waitFor();
  const seen = async () => (await phone.locator('.offer, .shelf, .aids').allInnerTexts()).join();
  await expect.poll(seen).toContain('Tap a coloured token');
  expect(await seen()).not.toMatch(/\bTab\b|\bCtrl\b|\bAlt\b|⌥|\bEsc\b/);
  await offer.getByRole('button').tap();
  await expect.poll(() => phone.locator('textarea').inputValue()).not.toBe(`${text} who`);
  await phone.context().close();
});
