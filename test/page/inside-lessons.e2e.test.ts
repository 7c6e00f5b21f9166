import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { openSite, type Site } from '../site.ts';
import { eventually, openInside, sharedEmbedded, visitInside } from './inside.ts';
import { answered, frame } from './watch.ts';

const text = 'Once upon a time there was a little girl';

let site: Site;
let page: Page;
let model: Model;
let complaints: string[] = [];
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), sharedEmbedded()]);
  ({ page, complaints } = await openInside(site, text, [], { reducedMotion: 'reduce' }));
});
afterAll(() => site.close());
beforeEach(() => visitInside(page, text, []));
afterEach(() => expect(complaints).toEqual([]));

interface Step {
  /** `2 of 3` */
  which: string;
  /** The numbers in its words. */
  values: (string | number)[];
  words: string;
  /** The tensors that its words name. */
  named: string[];
  /** The tensor whose picture is outlined. */
  pointed: string;
  isLast: boolean;
}

/** The lesson's step as it stands, once the text is read, its words are there, and the one picture outlined is in view. */
const shownStep = (nth: number): Promise<Step> =>
  eventually(async () => {
    const { isRead, isInView, count, ...step } = await page.locator('.lesson').evaluate((lesson) => {
      const textOf = (selector: string) => lesson.querySelector<HTMLElement>(selector)?.innerText ?? '';
      const all = document.querySelectorAll<HTMLElement>('[data-pointed]');
      const { top, bottom } = all[0]?.getBoundingClientRect() ?? { top: 0, bottom: 0 };
      const forward = lesson.querySelector('.primary')!;
      return {
        isRead:
          forward.ariaDisabled === 'false' &&
          document.querySelector('.bar .ribbon')!.textContent ===
            document.querySelector('textarea')!.value.replaceAll(' ', '␣'),
        isInView: top < innerHeight && bottom > 0,
        count: all.length,
        which: textOf('header .summary'),
        values: JSON.parse(lesson.querySelector<HTMLElement>('.words')?.dataset.values ?? '[]'),
        words: textOf('.words'),
        named: [...lesson.querySelectorAll('.tensor')].map(({ textContent }) => textContent),
        pointed: all[0]?.dataset.tensor ?? all[0]?.querySelector<HTMLElement>('[data-tensor]')?.dataset.tensor ?? '',
        isLast: forward.textContent === 'Done',
      };
    });
    expect(step.which.split(' of ')[0]).toBe(String(nth));
    expect({ isRead, isInView, count }).toEqual({ isRead: true, isInView: true, count: 1 });
    expect(step.words).not.toBe('');
    return step;
  });

const begin = (title: string | RegExp) => page.locator('.lessons > ol').getByRole('button', { name: title }).click();
const forward = () => page.locator('.lesson .primary').click();

test('every step of every lesson reads its numbers, those of a trace, and points at the picture that its words name', async () => {
  const titles = await page.locator('.lessons > ol button').allInnerTexts();
  expect(titles.length).toBeGreaterThanOrEqual(8);
  expect(titles.length).toBeLessThanOrEqual(12);
  for (const title of titles) {
    await begin(title);
    for (let [nth, isLast] = [1, false]; !isLast; nth++) {
      const step = await shownStep(nth);
      isLast = step.isLast;
      expect(step.words).not.toMatch(/undefined|NaN/);
      expect(step.named.length, title).toBeGreaterThan(0);
      if (!title.includes('experiment')) expect(step.named, title).toContain(step.pointed);
      if (title === 'Masked attention' && nth === 1) await expectAttention(step);
      if (title.includes('induction') && step.isLast) await expectInduction(step);
      await forward();
    }
    await expect.poll(() => page.locator('.lesson').count()).toBe(0);
  }
});

/** It is about the text's last token, in block 0 and head 0. */
async function expectAttention({ values: [from, to, share] }: Step): Promise<void> {
  const name = 'blocks.0.attn.hook_pattern';
  const { data, shape } = (await model.trace(text, { capture: [name] })).get(name)!;
  const length = shape[1]!;
  const row = [...data.subarray((length - 1) * length, length * length)]; // head 0
  const ids = model.tokenizer.encode(text);
  const most = row.indexOf(Math.max(...row));
  const visible = (position: number) => model.tokenizer.token(ids[position]!).replaceAll(' ', '␣');
  expect([from, to]).toEqual([visible(length - 1), visible(most)]);
  expect(Number.parseFloat(String(share))).toBeCloseTo(100 * row[most]!, 0);
  // Its words stand beside the picture that they are about.
  await eventually(async () => {
    const [words, picture] = await page.evaluate(() =>
      ['.lesson', '[data-pointed]'].map((of) => {
        const { left, right } = document.querySelector(of)!.getBoundingClientRect();
        return { left, right };
      }),
    );
    expect(words!.left >= picture!.right || words!.right <= picture!.left).toBe(true);
  });
}

/** The head is the one that a search of all heads finds. */
async function expectInduction({ values: [head, layer, share] }: Step): Promise<void> {
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
  expect([head, layer]).toEqual([best.head, best.layer]);
  expect(Number.parseFloat(String(share))).toBeCloseTo(100 * best.score, 0);
  expect(await page.getByRole('group', { name: 'Block', exact: true }).innerText()).toContain(String(best.layer));
}

test('the knock-out experiment changes the run, and puts it back; anew, since the text is another, it has found nothing yet', async () => {
  await begin(/experiment/);
  const [, , head, layer, after] = (await shownStep(1)).values;
  const { data: whole } = (await model.trace(text, { logits: [-1] })).logits;
  const best = whole.indexOf(Math.max(...whole));
  const probability = async (edits: { name: string; head: number; set: number }[]) => {
    const { data } = (await model.trace(text, { logits: [-1], edits })).logits;
    return Math.exp(data[best]!) / data.reduce((sum, logit) => sum + Math.exp(logit), 0);
  };
  const without = await probability([{ name: `blocks.${layer}.attn.hook_z`, head: Number(head), set: 0 }]);
  expect(Number.parseFloat(String(after))).toBeCloseTo(100 * without, 0);
  await forward();
  await page.getByText('You changed this run').waitFor();
  const row = page.locator(`.prediction[data-touched="true"][data-stale="false"] tr[data-id="${best}"]`);
  expect(Number(await row.getAttribute('data-changed'))).toBeCloseTo(without, 3);
  await forward();
  await page.getByText('You changed this run').waitFor({ state: 'detached' });

  await begin(/experiment/);
  await shownStep(1);
  const primary = page.locator('.lesson .primary');
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
  // By the page itself, at the experiment's first word of progress, while it waits for the next: from outside it may be over by then.
  await page.evaluate(() => {
    const press = (name: string) =>
      [...document.querySelectorAll('button')]
        .find((button) => (button.getAttribute('aria-label') ?? button.textContent?.trim()) === name)!
        .click();
    const led: unknown[] = [];
    Object.assign(globalThis, { led });
    const observer = new MutationObserver(() => {
      if (!/[1-9]\d* of \d\d/.test(document.querySelector('.lesson')?.textContent ?? '')) return;
      observer.disconnect();
      press('Close the lesson');
      press('Next block');
      const { scrollIntoView } = Element.prototype;
      Element.prototype.scrollIntoView = function (to) {
        led.push(to);
        scrollIntoView.call(this, to);
      };
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await begin(/experiment/);
  await page.locator('.lesson').waitFor({ state: 'detached' });
  await page.locator('.whole[data-stale="false"] .block-names [aria-label="Block 1"][aria-pressed="true"]').waitFor();
  await answered(page); // what the experiment asked for, too
  await frame(page);
  expect(await page.locator('.bar .stepper output').allInnerTexts()).toEqual(['Block 1 / 5', 'Head 0 / 3']);
  expect(await page.evaluate(() => (globalThis as unknown as { led: unknown[] }).led)).toEqual([]);
});
