import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { serve, type TestServer } from '../load/server.ts';
import { encodeSafetensors, tinyCheckpoint } from '../load/tiny-checkpoint.ts';
import { openSite, type Site } from '../site.ts';

const { config, tensors } = tinyCheckpoint({ vocabSize: 50257 }); // 1.6 MB
const contents = { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) };
const total = contents['config.json'].length + contents['model.safetensors'].length;

let site: Site;
let host: TestServer;
let page: Page;
let complaints: string[];
/** The model's name in the list. */
let name: string;

beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
beforeEach(async () => {
  host = await serve(contents);
  name = new URL(host.url).host;
  complaints = [];
});
afterEach(async () => {
  await page.context().close();
  await host.close();
  expect(complaints).toEqual([]);
});

const button = (label: string | RegExp) => page.getByRole('button', { name: label });
const openDialog = () => button('Change model').click();
const section = () => page.locator('.cached');

/** Opens the page; `persist`: what the browser answers when it is asked to keep the storage. */
async function open({ width = 1280, persist = true } = {}): Promise<void> {
  page = await site.newPage({ viewport: { width, height: 844 } });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.addInitScript((answer) => {
    let asked = 0;
    Object.assign(globalThis, { timesAsked: () => asked });
    StorageManager.prototype.persist = async () => ++asked > 0 && answer;
    StorageManager.prototype.persisted = async () => asked > 0 && answer;
  }, persist);
  await page.goto(site.url);
  await page.locator('.device').waitFor();
}

async function download(): Promise<void> {
  await openDialog();
  await page.locator('#hub-id').fill(host.url);
  await page.keyboard.press('Enter');
  await button('Download').click();
  await page.getByRole('heading', { name }).waitFor();
}

const timesAsked = () => page.evaluate(() => (globalThis as unknown as { timesAsked(): number }).timesAsked());

/** Entries of the cache, in the browser's own file system. */
const filesKept = () =>
  page.evaluate(async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('vitrine');
    let files = 0;
    for await (const folder of root.values() as AsyncIterable<FileSystemDirectoryHandle>) {
      for await (const _ of folder.keys()) files++;
    }
    return files;
  });

describe('models that were downloaded before', () => {
  test('are listed with their size, used without a network, and deleted', async () => {
    await open();
    await download();
    await page.reload();
    await page.locator('.device').waitFor();
    await host.close();
    await openDialog();
    await section().waitFor();
    await expect.poll(() => section().locator('li').allInnerTexts()).toEqual([expect.stringContaining(name)]); // the page's own model came with it
    await expect.poll(() => section().locator('.size').innerText()).toBe(`${(total / 1e6).toFixed(1)} MB`);
    await expect.poll(filesKept).toBeGreaterThan(3);
    await button(`Use ${name}`).click();
    await page.getByRole('heading', { name }).waitFor();
    await openDialog();
    await button(`Delete ${name} from this device`).click();
    await section().getByText('There is none any more.').waitFor();
    await expect.poll(filesKept).toBe(0);
    await page.getByText(/is deleted, 1\.\d MB are free again/).waitFor({ state: 'attached' });
    host = await serve(contents);
  });

  test.each([true, false])('are kept for good only when the visitor asks; the browser says %s', async (persist) => {
    await open({ persist });
    await download();
    await openDialog();
    await section().getByText('the browser may delete them').waitFor();
    expect(await timesAsked()).toBe(0);
    await button('Keep these models').click();
    await section()
      .getByText(persist ? 'until you delete them' : 'may still delete them')
      .waitFor();
    await expect.poll(timesAsked).toBe(1);
  });

  test('that find no room are used all the same, and the visitor is told', async () => {
    await open();
    const session = await page.context().newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, quotaSize: 1e6 });
    await download();
    await page.getByText(`${name} could not be kept in this browser`).waitFor();
    await page.getByText('Details').click();
    await page.getByText(/so model\.safetensors is not kept\./).waitFor();
  });

  test('fit the screen, and are used and deleted by keyboard alone', async () => {
    await open({ width: 390 });
    await download();
    await openDialog();
    for (const [width, colorScheme] of [
      [390, 'light'],
      [390, 'dark'],
      [1280, 'light'],
      [1280, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 844 });
      await page.emulateMedia({ colorScheme });
      await section().scrollIntoViewIfNeeded();
      const over = () =>
        page.locator('dialog').evaluate((element, width) => {
          const { right } = element.getBoundingClientRect();
          return Math.max(0, right - width, element.scrollWidth - element.clientWidth);
        }, width);
      await expect.poll(over).toBe(0);
      for (const row of await section().locator('li button').all()) {
        const box = (await row.boundingBox())!;
        expect(box.height).toBeGreaterThanOrEqual(36); // as large as a finger
      }
      if (process.env.VITRINE_SHOTS) {
        await page.screenshot({ path: `${process.env.VITRINE_SHOTS}/cached-${width}-${colorScheme}.png` });
      }
    }
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await button('Change model').focus();
    await page.keyboard.press('Enter');
    await section().waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
    for (let i = 0; i < 20 && !/^Use/.test(await focused()); i++) await page.keyboard.press('Tab');
    await expect.poll(focused).toBe(`Use ${name}`);
    await page.keyboard.press('Tab');
    await expect.poll(focused).toBe(`Delete ${name} from this device`);
    await page.keyboard.press('Enter');
    await section().getByText('There is none any more.').waitFor();
    await expect.poll(() => page.evaluate(() => !!document.activeElement?.closest('dialog'))).toBe(true); // not lost behind it
  });
});
