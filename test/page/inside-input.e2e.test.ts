import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { openSite, type Site } from '../site.ts';
import { drawn, eventually, expectToFit, openInside, sharedEmbedded } from './inside.ts';

const text = 'Once upon a time there was a naïve 🦊';

let site: Site;
let page: Page;
let model: Model;
let complaints: string[] = [];
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), sharedEmbedded()]);
  ({ page, complaints } = await openInside(site, text, ['input']));
  await page.locator('#station-input .token-list').waitFor();
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

const choose = (position: number) => page.locator('.token-list button').nth(position).click();

function expectClose(actual: readonly number[], expected: ArrayLike<number>, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  for (const [i, value] of actual.entries())
    expect(Math.abs(value - expected[i]!), `${what} [${i}]`).toBeLessThan(1e-3);
}

const cosine = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));

describe('from text to numbers', () => {
  test('tokens, their ids, and their bytes when asked for', async () => {
    const ids = model.tokenizer.encode(text);
    const shown = page.locator('.token-list button');
    expect(await shown.evaluateAll((all) => all.map((one) => Number((one as HTMLElement).dataset.id)))).toEqual(ids);
    expect(await page.locator('.token-list .id').allInnerTexts()).toEqual(ids.map(String));
    expect(await page.locator('.token-list .bytes').count()).toBe(0);
    const bytes = ids.map((id) => [...model.tokenizer.bytes(id)]);
    expect(bytes.flat()).toEqual([...new TextEncoder().encode(text)]);
    await page.getByLabel('hexadecimal').check();
    const hex = bytes.map((some) => some.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' '));
    await expect.poll(() => page.locator('.token-list .bytes').allInnerTexts()).toEqual(hex);
    await page.getByLabel('decimal', { exact: true }).check();
    await expect
      .poll(() => page.locator('.token-list .bytes').allInnerTexts())
      .toEqual(bytes.map((some) => some.join(' ')));
    await page.getByRole('button', { name: `Once ${ids[0]} ${bytes[0]!.join(' ')}` }).waitFor();
    await page.getByLabel('hide').check();
    await expect.poll(() => page.locator('.token-list .bytes').count()).toBe(0);
  });

  test('the three strips are the chosen token’s embedding, its position’s, and their sum', async () => {
    await choose(4);
    const names = ['hook_embed', 'hook_pos_embed', 'blocks.0.hook_resid_pre'];
    const traced = await model.trace(text, { capture: names });
    const id = model.tokenizer.encode(text)[4]!;
    const own = await model.weight('wte.weight', { rows: [id] });
    for (const name of names) {
      const selector = `.sum canvas[data-tensor="${name}[4]"]`;
      await page.locator(selector).waitFor();
      const { data } = await drawn(page, selector);
      const { data: all } = traced.get(name)!;
      expectClose(data, all.subarray(4 * 128, 5 * 128), name);
      if (name === 'hook_embed') expectClose(data, own.data, 'wte');
    }
    const terms = await page.locator('.sum .term').allInnerTexts();
    expect(terms.map((term) => term.trim()[0])).toEqual(['“', '+', '=']);
    // The first number of the second of two lines is chosen, and outlined there.
    const picture = page.locator('.sum .matrix').first();
    const { height } = (await picture.boundingBox())!;
    await picture.click({ position: { x: 3, y: 0.75 * height } });
    await eventually(async () => {
      const [mark, whole] = await picture.evaluate((picture) =>
        [picture.querySelector('.mark.chosen')!, picture].map((one) => {
          const { x, y } = one.getBoundingClientRect();
          return { x, y };
        }),
      );
      expect(Math.abs(mark!.x - whole!.x)).toBeLessThan(1);
      expect(Math.abs(mark!.y - whole!.y - height / 2)).toBeLessThan(1);
    });
  });

  test('nearest tokens of all the vocabulary', async () => {
    await choose(3);
    const id = model.tokenizer.encode(text)[3]!;
    const { data, shape } = await model.weight('wte.weight');
    const width = shape[1]!;
    const row = (r: number) => data.subarray(r * width, (r + 1) * width);
    const all = Array.from({ length: shape[0]! }, (_, r) => ({ id: r, cosine: cosine(row(r), row(id)) }));
    const expected = all
      .filter((one) => one.id !== id)
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, 10);
    const list = page.locator(`.nearest[data-of="${id}"][data-stale="false"] li`);
    await list.first().waitFor();
    const shown = await list.evaluateAll((items) =>
      items.map((item) => {
        const { id, cosine } = (item as HTMLElement).dataset;
        return { id: Number(id), cosine: Number(cosine) };
      }),
    );
    expectClose(
      shown.map((one) => one.cosine),
      expected.map((one) => one.cosine),
      'cosines',
    );
    for (const one of shown) expect(Math.abs(all[one.id]!.cosine - one.cosine)).toBeLessThan(1e-3);
    const nearest = model.tokenizer.token(shown[0]!.id).replaceAll(' ', '␣');
    await expect.poll(() => page.locator('.nearest .word').first().innerText()).toBe(nearest);
  });

  test('the map of positions, and the curve of the chosen one', async () => {
    await choose(5);
    const { data: wpe, shape } = await model.weight('wpe.weight');
    const [count = 0, width = 0] = shape;
    await page.locator('canvas[data-tensor="similarities"]').waitFor();
    const { data, rows, columns } = await drawn(page, 'canvas[data-tensor="similarities"]');
    expect([rows, columns]).toEqual([count, count]);
    const row = (r: number) => wpe.subarray(r * width, (r + 1) * width);
    const expected = Array.from({ length: count }, (_, other) => cosine(row(5), row(other)));
    expectClose(data.slice(5 * count, 6 * count), expected, 'row 5');
    expect(data[9 * count + 200]).toBeCloseTo(cosine(row(9), row(200)), 3);
    await eventually(async () => {
      const points = (await page.locator('.curve polyline').getAttribute('points'))!.split(' ');
      expectClose(
        points.map((point) => 1 - Number(point.split(',')[1]) / 50),
        expected,
        'curve',
      );
    });
  });

  test('fits the screen', async () => {
    await page.locator('canvas[data-tensor="similarities"]').waitFor();
    await expectToFit(page);
  });
});
