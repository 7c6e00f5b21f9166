import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { lengthOf, patternRow, rowOf, softmax } from '../../src/page/shares.ts';
import { openSite, type Site } from '../site.ts';
import { drawn, eventually, expectToFit, numbersOf, openWhole, sharedEmbedded } from './inside.ts';
import { frame } from './watch.ts';

const text = 'Once upon a time there was a little girl named';
const dials = { temperature: 0.8, topK: 40, seed: 7 };

let site: Site;
let page: Page;
let model: Model;
let complaints: string[] = [];
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), sharedEmbedded()]);
  ({ page, complaints } = await openWhole(site, text, 'seed=7&max-new-tokens=4'));
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

/** The number of the block or head that is looked at. */
const at = async (what: 'Block' | 'Head') =>
  Number(/\d+/.exec(await page.getByRole('group', { name: what, exact: true }).innerText())![0]);

const numbers = (selector: string, name: string) => numbersOf(page, selector, name);

/** What the drawing shows is what `trace` gives for the text, block and head. */
async function expectTraced(prompt: string, layer: number, head: number): Promise<void> {
  const names = ['attn.hook_pattern', 'hook_attn_out', 'hook_mlp_out'].map((name) => `blocks.${layer}.${name}`);
  const residuals = ['blocks.0.hook_resid_pre', 'blocks.*.hook_resid_mid', 'blocks.*.hook_resid_post'];
  const traced = await model.trace(prompt, { capture: [...names, ...residuals], logits: [-1] });
  const at = model.tokenizer.encode(prompt).length - 1;
  const length = (name: string) => lengthOf(rowOf(traced.get(name)!, at));

  const pattern = patternRow(traced.get(names[0]!)!, head, at);
  const keys = await numbers('.stream .look', 'key');
  for (const [i, share] of (await numbers('.stream .look', 'share')).entries()) {
    expect(share).toBeCloseTo(pattern[keys[i]!]!, 4);
  }
  expect(keys.at(-1)).toBe(at);

  const blocks = Array.from({ length: model.config.nLayer }, (_, i) => i);
  const lengths = blocks.flatMap((i) => [length(`blocks.${i}.hook_resid_mid`), length(`blocks.${i}.hook_resid_post`)]);
  for (const [i, norm] of (await numbers('.stream [data-norm]', 'norm')).entries()) {
    expect(norm).toBeCloseTo([length('blocks.0.hook_resid_pre'), ...lengths][i]!, 2);
  }
  expect((await numbers('.stream .node', 'length'))[0]).toBeCloseTo(length(names[1]!), 3);
  expect((await numbers('.stream .mlp', 'length'))[0]).toBeCloseTo(length(names[2]!), 3);

  const { data } = await drawn(page, '.pieces canvas');
  const rows = await numbers('.pieces [data-token]', 'token');
  const embedded = rows.flatMap((row) => [...rowOf(traced.get('blocks.0.hook_resid_pre')!, row)]);
  expect(Math.max(...data.map((value, i) => Math.abs(value - embedded[i]!)))).toBeLessThan(1e-3);

  const shares = softmax(traced.logits.data);
  const ids = await numbers('.scores li', 'id');
  expect(ids[0]).toBe(shares.indexOf(Math.max(...shares)));
  for (const [i, share] of (await numbers('.scores li', 'probability')).entries()) {
    expect(share).toBeCloseTo(shares[ids[i]!]!, 4);
  }
}

test('the whole is drawn with this run’s numbers, moves with block, head and text, and opens the stations', async () => {
  await expectTraced(text, 0, 0);
  const { ids } = await model.complete(text, { ...dials, maxNewTokens: 1 });
  expect(await numbers('.whole-draw', 'id')).toEqual(ids);

  await page.locator('.block-names button').nth(3).click();
  await page.getByRole('button', { name: 'Next head' }).click();
  await page.locator('.whole[data-stale="false"] .block-names [aria-label="Block 3"][aria-pressed="true"]').waitFor();
  await expectTraced(text, 3, 1);

  const longer = `${text} Lily`;
  await page.getByRole('textbox', { name: 'Text to look inside' }).fill(longer);
  const at = model.tokenizer.encode(longer).length - 1;
  await page.locator(`.whole[data-stale="false"][data-position="${at}"]`).waitFor();
  await expect.poll(() => page.locator('.stream [data-norm]').count()).toBe(2 * model.config.nLayer + 1);
  await expectTraced(longer, 3, 1);
  expect(await page.locator('textarea').inputValue()).toBe(longer);

  await page.locator('.part-name[data-to="output"]').first().click();
  await page.locator('#station-output[data-open="true"] .block-flow').waitFor();
  await expect
    .poll(() => page.locator('#station-output').evaluate((one) => one.getBoundingClientRect().top))
    .toBeLessThan(700); // in view
});

test('a part opens at its own picture, outlined until one goes on; the sharpest head is that of a trace', async () => {
  await page.locator('.part-name', { hasText: 'Attention' }).click();
  const pointed = page.locator('[data-pointed]:has([data-tensor="blocks.3.attn.hook_pattern"])');
  await pointed.waitFor();
  await expect
    .poll(() => pointed.evaluate((one) => one.getBoundingClientRect().top > 0 && one.getBoundingClientRect().top < 700))
    .toBe(true);
  await page.keyboard.press('Shift');
  await expect.poll(() => page.locator('[data-pointed]').count()).toBe(0);
  const longer = `${text} Lily`;
  const ids = model.tokenizer.encode(longer);
  const at = ids.length - 1;
  const traced = await model.trace(ids, { capture: ['blocks.*.attn.hook_pattern'] });
  const { nLayer, nHead } = model.config;
  const shares = Array.from({ length: nLayer * nHead }, (_, i) => {
    const pattern = traced.get(`blocks.${Math.floor(i / nHead)}.attn.hook_pattern`)!;
    return Math.max(...patternRow(pattern, i % nHead, at).subarray(1, at));
  });
  const best = shares.indexOf(Math.max(...shares));
  await page.getByRole('button', { name: 'Show the head that looks most' }).click();
  const found = `[aria-label="Block ${Math.floor(best / nHead)}"][aria-pressed="true"]`;
  await page.locator(`.whole[data-stale="false"] .block-names ${found}`).waitFor();
  await page.getByText(`In block ${Math.floor(best / nHead)}, head ${best % nHead} looks`).waitFor();
});

test('the last token, once picked, is followed again; the first has none before it', async () => {
  const ribbon = page.locator('.bar .ribbon');
  const checked = () => ribbon.locator('[aria-checked="true"]').getAttribute('aria-label');
  await ribbon.getByRole('radio').first().click();
  await page.keyboard.press('ArrowLeft');
  await expect.poll(() => page.url()).toContain('token=0');
  expect(await checked()).toMatch(/^Token 0:/);
  await ribbon.getByRole('radio').last().click();
  await expect.poll(() => page.url()).not.toContain('token=');
  await page.getByRole('textbox', { name: 'Text to look inside' }).fill(`${text} Tom and`);
  const last = model.tokenizer.encode(`${text} Tom and`).length - 1;
  await expect.poll(checked).toMatch(new RegExp(`^Token ${last}:`));
});

test('a row of blocks hands the focus on at its end; what has no width, or runs from right to left, stands apart', async () => {
  const more = page.getByRole('button', { name: 'Next block', exact: true });
  for (let block = await at('Block'); block < model.config.nLayer - 1; block++) {
    await more.focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => at('Block')).toBe(block + 1);
  }
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
    .toBe('Previous block');
  await page.locator('.block-names button').first().click();
  await page.getByRole('textbox', { name: 'Text to look inside' }).fill('A\u200bשלום');
  await page.locator('.bar .ribbon [aria-label*="⟨U+200B⟩"]').first().waitFor();
  const picture = page.locator('.whole[data-stale="false"] .matrix');
  await picture.focus();
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => picture.locator('.readout bdi').count()).toBe(1);
  await page.getByRole('textbox', { name: 'Text to look inside' }).fill(`${text} Tom and`);
  const last = model.tokenizer.encode(`${text} Tom and`).length - 1;
  await page.locator(`.whole[data-stale="false"][data-position="${last}"]`).waitFor();
});

test('a lesson’s numbers follow the block that is looked at, and its names with them; its buttons keep the focus', async () => {
  await page
    .locator('.lessons > ol')
    .getByRole('button', { name: /residual stream/ })
    .click();
  const words = page.locator('.lesson .words');
  const shown = () =>
    words.evaluate((words) => ({
      values: JSON.parse((words as HTMLElement).dataset.values!) as string[],
      name: words.querySelector('.tensor')!.textContent,
    }));
  const before = await shown();
  await page.locator('.block-names button').nth(1).click();
  await eventually(async () => {
    const { name, values } = await shown();
    expect(name).toBe('blocks.1.hook_resid_pre');
    expect(values).not.toEqual(before.values);
  });
  const next = page.locator('.lesson').getByRole('button', { name: 'Next' });
  await next.focus();
  await page.keyboard.press('Enter');
  await page.locator('.lesson .tensor').getByText('ln1.hook_scale').waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement?.className)).toBe('primary');
  await page.locator('[data-pointed]').waitFor();
  // Who writes meanwhile gets other numbers, and is not taken back to the picture.
  const { values } = await shown();
  const isInView = () =>
    page.locator('[data-pointed]').evaluate((picture) => {
      const { top, bottom } = picture.getBoundingClientRect();
      return top > 0 && bottom < innerHeight;
    });
  await expect.poll(isInView).toBe(true); // who leaves before has not been led yet
  await page.evaluate(() => {
    scrollTo({ top: 0, behavior: 'instant' });
    const anew: Node[] = [];
    Object.assign(globalThis, { anew });
    const note = (changes: MutationRecord[]) =>
      anew.push(...changes.map(({ target }) => target).filter((one) => (one as Element).matches('[data-pointed]')));
    new MutationObserver(note).observe(document.body, { subtree: true, attributeFilter: ['data-pointed'] });
  });
  await page.locator('textarea').fill(`${text} Tom and she`);
  await expect.poll(async () => (await shown()).values).not.toEqual(values);
  await page.waitForFunction(() => (globalThis as unknown as { anew: Node[] }).anew.length > 0);
  await frame(page);
  expect(await page.evaluate(() => scrollY)).toBeLessThan(100);
  await page.getByRole('button', { name: 'Close the lesson' }).click();
  await expect.poll(() => page.locator('[data-pointed]').count()).toBe(0);
  await expect.poll(() => page.evaluate(() => (document.activeElement as HTMLElement).dataset.lesson)).toBe('residual');
});

test('the text is continued with what was changed inside the model', async () => {
  const prompt = await page.locator('textarea').inputValue();
  await page.locator('#station-touch > h3 button').click();
  await page.getByRole('button', { name: 'Knock out', exact: true }).first().click();
  const edits = [{ name: `blocks.${await at('Block')}.attn.hook_z`, head: await at('Head'), scale: 0 }];
  await page.getByRole('button', { name: 'Continue the text with these changes' }).click();
  const { text: written } = await model.complete(prompt, { ...dials, maxNewTokens: 4, edits });
  await expect.poll(() => page.locator('textarea').inputValue()).toBe(prompt + written);
  await page.locator('.shelf .figures').getByText('with your changes').waitFor();
  await page.getByRole('button', { name: 'Undo', exact: true }).first().click();
});

test('the panel that is opened again reads the text with the model that is there', async () => {
  await page.getByRole('button', { name: 'Close the model' }).click();
  await page.getByRole('button', { name: 'Change model' }).click();
  await page.locator('#device').selectOption('cpu');
  await page.locator('.device[data-kind=cpu]').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Look inside' }).click();
  await page.locator('.whole[data-stale="false"] [data-norm]').first().waitFor();
  expect(await page.locator('.inside [role="alert"]').count()).toBe(0);
  await expect.poll(() => page.locator('.inside').evaluate((one) => one.getBoundingClientRect().top)).toBeLessThan(400);
  await expectToFit(page);
});
