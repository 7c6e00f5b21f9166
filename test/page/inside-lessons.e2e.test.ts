import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { openSite, type Site } from '../site.ts';
import { complaintsOf, loadEmbedded, openInside } from './inside.ts';
import { answered, frame } from './watch.ts';

const text = 'Once upon a time there was a little girl';

let site: Site;
let page: Page;
let model: Model;
let complaints: string[] = [];
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), loadEmbedded()]);
});
afterAll(async () => {
  model.dispose();
  await site.close();
});
beforeEach(async () => {
  page = await site.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' });
  complaints = complaintsOf(page);
  await page.goto(`${site.url}#prompt=${encodeURIComponent(text)}&device=wasm`);
  await page.getByText(/in memory/).waitFor();
  await page.getByRole('button', { name: 'See inside' }).click();
  await page.locator('.lessons').waitFor();
});
afterEach(async () => {
  await page.context().close();
  expect(complaints).toEqual([]);
});

/** The numbers in the words of the step that is shown. */
async function valuesOfStep(): Promise<(string | number)[]> {
  const words = page.locator('.lesson .words');
  await words.waitFor();
  return JSON.parse((await words.getAttribute('data-values'))!);
}

const begin = (title: string | RegExp) => page.locator('.lessons > ol').getByRole('button', { name: title }).click();
const next = () => page.locator('.lesson').getByRole('button', { name: 'Next' }).click();

/** The tensor whose picture is outlined, and whether it is in view. */
async function pointedAt(): Promise<string> {
  const pointed = page.locator('[data-pointed]');
  await expect.poll(() => pointed.count()).toBe(1);
  await expect
    .poll(async () => {
      const box = await pointed.boundingBox();
      return box !== null && box.y < 900 && box.y + box.height > 0;
    })
    .toBe(true);
  return pointed.evaluate(
    (element) =>
      (element as HTMLElement).dataset.tensor ?? element.querySelector<HTMLElement>('[data-tensor]')!.dataset.tensor!,
  );
}

test('every step of every lesson reads its numbers and points at the picture that its words name', async () => {
  const titles = await page.locator('.lessons > ol button').allInnerTexts();
  expect(titles.length).toBeGreaterThanOrEqual(8);
  expect(titles.length).toBeLessThanOrEqual(12);
  for (const title of titles) {
    await begin(title);
    for (;;) {
      await valuesOfStep();
      expect(await page.locator('.lesson .words').innerText()).not.toMatch(/undefined|NaN/);
      const named = await page.locator('.lesson .tensor').allInnerTexts();
      expect(named.length, title).toBeGreaterThan(0);
      const tensor = await pointedAt().catch((error) => Promise.reject(new Error(`${title}: ${named}: ${error}`)));
      if (!title.includes('experiment')) expect(named, title).toContain(tensor);
      const forward = page.locator('.lesson .primary');
      const isLast = (await forward.innerText()) === 'Done';
      await forward.click();
      if (isLast) break;
    }
    await expect.poll(() => page.locator('.lesson').count()).toBe(0);
  }
});

test('the numbers of a lesson are those of a trace', async () => {
  await begin('Masked attention');
  const [from, to, share] = await valuesOfStep();
  const pattern = (await model.trace(text, { capture: ['blocks.0.attn.hook_pattern'] })).get(
    'blocks.0.attn.hook_pattern',
  )!;
  const length = pattern.shape[1]!;
  const row = [...pattern.data.subarray((length - 1) * length, length * length)]; // head 0
  const ids = model.tokenizer.encode(text);
  const most = row.indexOf(Math.max(...row));
  const visible = (position: number) => model.tokenizer.token(ids[position]!).replaceAll(' ', '␣');
  expect([from, to]).toEqual([visible(length - 1), visible(most)]);
  expect(Number.parseFloat(String(share))).toBeCloseTo(100 * row[most]!, 0);
  // Its words stand beside the picture that they are about.
  await pointedAt();
  await expect
    .poll(() =>
      page.evaluate(() => {
        const [words, picture] = ['.lesson', '[data-pointed]'].map((of) =>
          document.querySelector(of)!.getBoundingClientRect(),
        ) as [DOMRect, DOMRect];
        return words.left >= picture.right || words.right <= picture.left;
      }),
    )
    .toBe(true);
});

test('the induction head is the one that a search of all heads finds', async () => {
  await begin(/induction/);
  await next();
  const repeated = await page.locator('textarea').inputValue();
  const ids = model.tokenizer.encode(repeated);
  const trace = await model.trace(repeated, { capture: ['blocks.*.attn.hook_pattern'] });
  const pairs = ids.flatMap((id, from) => {
    const before = ids.slice(0, from).lastIndexOf(id);
    return before >= 0 && before + 1 < from ? [[from, before + 1] as const] : [];
  });
  let best = { score: 0, layer: 0, head: 0 };
  for (let layer = 0; layer < model.config.nLayer; layer++) {
    const { data } = trace.get(`blocks.${layer}.attn.hook_pattern`)!;
    for (let head = 0; head < model.config.nHead; head++) {
      const looks = pairs.map(([from, to]) => data[(head * ids.length + from) * ids.length + to]!);
      const score = looks.reduce((a, b) => a + b, 0) / looks.length;
      if (score > best.score) best = { score, layer, head };
    }
  }
  await expect.poll(async () => (await valuesOfStep()).slice(0, 2)).toEqual([best.head, best.layer]);
  expect(Number.parseFloat(String((await valuesOfStep())[2]))).toBeCloseTo(100 * best.score, 0);
  expect(await page.getByRole('group', { name: 'Block', exact: true }).innerText()).toContain(String(best.layer));
});

test('the knock-out experiment changes the run, and puts it back', async () => {
  await begin(/experiment/);
  const [, , head, layer, after] = await valuesOfStep();
  const { data: whole } = (await model.trace(text, { logits: [-1] })).logits;
  const best = whole.indexOf(Math.max(...whole));
  const probability = async (edits: { name: string; head: number; set: number }[]) => {
    const { data } = (await model.trace(text, { logits: [-1], edits })).logits;
    return Math.exp(data[best]!) / data.reduce((sum, logit) => sum + Math.exp(logit), 0);
  };
  const without = await probability([{ name: `blocks.${layer}.attn.hook_z`, head: Number(head), set: 0 }]);
  expect(Number.parseFloat(String(after))).toBeCloseTo(100 * without, 0);
  await next();
  await page.getByText('You changed this run').waitFor();
  await page.locator(`.prediction[data-touched="true"][data-stale="false"] tr[data-id="${best}"]`).waitFor();
  const row = page.locator(`.prediction tr[data-id="${best}"]`);
  expect(Number(await row.getAttribute('data-changed'))).toBeCloseTo(without, 3);
  await next();
  await page.getByText('You changed this run').waitFor({ state: 'detached' });
});

test('a search that begins anew, since the text is another, has found nothing yet', async () => {
  await begin(/experiment/);
  await valuesOfStep();
  const primary = page.locator('.lesson .primary');
  await expect.poll(() => primary.getAttribute('aria-disabled')).toBe('false');
  await primary.evaluate((button) => {
    const states: unknown[] = [];
    Object.assign(globalThis, { states });
    new MutationObserver(() => states.push(button.ariaDisabled)).observe(button, { attributes: true });
  });
  await page.getByRole('textbox', { name: 'Text to look inside' }).fill('The cat sat on the');
  await page.waitForFunction(() => (globalThis as unknown as { states: string[] }).states.includes('true'));
  await expect.poll(() => primary.getAttribute('aria-disabled')).toBe('false');
});

test('an experiment that is closed before its end leaves the view as it is', async () => {
  await page.context().close();
  ({ page, complaints } = await openInside(site, text, ['touch'], { device: 'cpu' })); // it takes some seconds there
  // By the page itself, at the experiment's first word of progress: from outside it may be over before a click comes.
  await page.evaluate(() => {
    const press = (name: string) =>
      [...document.querySelectorAll('button')]
        .find((button) => (button.getAttribute('aria-label') ?? button.textContent?.trim()) === name)!
        .click();
    const observer = new MutationObserver(() => {
      if (!/[1-9]\d* of \d\d/.test(document.querySelector('.lesson')?.textContent ?? '')) return;
      observer.disconnect();
      press('Close the lesson');
      press('Next block');
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await begin(/experiment/);
  await page.locator('.lesson').waitFor({ state: 'detached' });
  const looksAt = () => page.locator('.stepper output').allInnerTexts();
  const before = await looksAt();
  const y = await page.evaluate(() => scrollY);
  await answered(page); // what the experiment asked for, too
  await frame(page);
  expect(await looksAt()).toEqual(before);
  expect(await page.evaluate(() => scrollY)).toBe(y);
});
