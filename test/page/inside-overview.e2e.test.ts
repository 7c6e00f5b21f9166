import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { openSite, type Site } from '../site.ts';
import { drawn, eventually, expectToFit, openInside, sharedEmbedded, visitInside } from './inside.ts';

const text = 'Once upon a time there was a little girl';
const nLayer = 6;
const nHead = 4;

let site: Site;
let page: Page;
let model: Model;
let complaints: string[] = [];
let opened = '';
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), sharedEmbedded()]);
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

/** Tests of the same text share a page. */
async function open(prompt = text) {
  if (prompt === opened) return;
  if (opened) await visitInside(page, prompt, ['overview']);
  else ({ page, complaints } = await openInside(site, prompt, ['overview']));
  opened = prompt;
  await page.locator('.said[data-stale="false"] li').first().waitFor();
}

const map = (layer: number, head: number) => `.glance-row:nth-child(${layer + 3}) .heads button:nth-child(${head + 1})`;

function expectClose(actual: readonly number[], expected: ArrayLike<number>, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  for (const [i, value] of actual.entries()) {
    const off = Math.abs(value - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    expect(off, `${what} [${i}]: ${value}, expected ${expected[i]}`).toBeLessThan(1e-3);
  }
}

/** The softmax of logits by its definition. */
function softmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

describe('the whole model', () => {
  test('every head is drawn with its own pattern', async () => {
    await open();
    const traced = await model.trace(text, { capture: ['blocks.*.attn.hook_pattern'] });
    const tokens = traced.tokens.length;
    for (let layer = 0; layer < nLayer; layer++) {
      const { data } = traced.get(`blocks.${layer}.attn.hook_pattern`)!;
      for (let head = 0; head < nHead; head++) {
        const { data: shown, rows, columns } = await drawn(page, `${map(layer, head)} canvas`);
        expect([rows, columns]).toEqual([tokens, tokens]);
        const size = tokens * tokens;
        expectClose(shown, data.subarray(head * size, (head + 1) * size), `block ${layer}, head ${head}`);
      }
    }
  });

  test('a click, or the keys, choose a head and open its block', async () => {
    await open();
    await page.locator(map(3, 2)).click();
    await expect.poll(() => page.locator(map(3, 2)).getAttribute('aria-pressed')).toBe('true');
    await expect.poll(() => page.locator('.steppers output').allInnerTexts()).toEqual(['Block 3 / 5', 'Head 2 / 3']);
    await page.locator('#station-block[data-open="true"]').waitFor();
    const traced = await model.trace(text, { capture: ['blocks.3.attn.hook_pattern'] });
    const tokens = traced.tokens.length;
    const gaze = await page.locator('.gaze [data-key]').evaluateAll((all) =>
      all.map((one) => {
        const { key, weight } = (one as HTMLElement).dataset;
        return [Number(key), Number(weight)] as const;
      }),
    );
    const { data } = traced.get('blocks.3.attn.hook_pattern')!;
    const row = data.subarray((3 * tokens - 1) * tokens, 3 * tokens * tokens);
    for (const [key, weight] of gaze) expect(Math.abs(weight - row[key]!)).toBeLessThan(1e-3);
    await page.locator(map(3, 2)).focus();
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator(map(2, 3)).getAttribute('aria-pressed')).toBe('true');
    await expect
      .poll(() => page.locator(map(2, 3)).getAttribute('aria-label'))
      .toMatch(/^Block 2, head 3: “␣girl” looks at/);
  });

  test('lengths of the residual, of the chosen token and of all', async () => {
    await open();
    await page.locator('.bar .ribbon button').nth(4).click();
    await page.locator('.bar .ribbon button:nth-child(5)[aria-checked="true"]').waitFor();
    const traced = await model.trace(text, { capture: ['blocks.*.hook_resid_*'] });
    const tokens = traced.tokens.length;
    const names = Array.from({ length: nLayer }, (_, layer) =>
      ['mid', 'post'].map((when) => `blocks.${layer}.hook_resid_${when}`),
    ).flat();
    const norms = ['blocks.0.hook_resid_pre', ...names].map((name) => {
      const { data } = traced.get(name)!;
      const width = data.length / tokens;
      return Array.from({ length: tokens }, (_, t) => Math.hypot(...data.subarray(t * width, (t + 1) * width)));
    });
    const { data, rows, columns } = await drawn(page, 'canvas[data-tensor="norms"]');
    expect([rows, columns]).toEqual([2 * nLayer + 1, tokens]);
    expectClose(data, norms.flat(), 'norms');
    await eventually(async () => {
      const { bars, widths } = await page.locator('.glance').evaluate((glance) => ({
        bars: [...glance.querySelectorAll<HTMLElement>('.length')].map(({ dataset }) => Number(dataset.norm)),
        widths: [...glance.querySelectorAll('.extent')].map((one) => one.getBoundingClientRect().width),
      }));
      expectClose(
        bars,
        norms.map((row) => row[4]!),
        'bars',
      );
      const scale = Math.max(...widths) / Math.max(...bars);
      for (const [i, width] of widths.entries()) expect(Math.abs(width - bars[i]! * scale)).toBeLessThan(0.5);
    });
  });

  test('what each block would say is the head’s reading of its residual', async () => {
    await open();
    await page.locator('.bar .ribbon button').nth(5).click();
    const lens = async () =>
      page
        .locator('.said')
        .filter({ has: page.locator('li') })
        .evaluateAll((lists) =>
          lists.map((list) =>
            [...list.children].map((item) => {
              const { id, probability } = (item as HTMLElement).dataset;
              return { id: Number(id), probability: Number(probability) };
            }),
          ),
        );
    await page.getByText('would say after “␣was”').waitFor();
    await page.waitForFunction(() => !document.querySelector('.said[data-stale="true"]'));
    const shown = await lens();
    expect(shown.length).toBe(nLayer);
    // Blocks that add nothing leave the residual as it is.
    for (let layer = 0; layer < nLayer; layer++) {
      const later = Array.from({ length: nLayer - 1 - layer }, (_, i) => layer + 1 + i);
      const edits = later.flatMap((block) =>
        ['hook_attn_out', 'hook_mlp_out'].map((part) => ({ name: `blocks.${block}.${part}`, set: 0 })),
      );
      const { logits } = await model.trace(text, { edits, logits: [5] });
      const expected = softmax(logits.data);
      for (const [i, { id, probability }] of shown[layer]!.entries()) {
        expect(Math.abs(probability - expected[id]!), `block ${layer}, token ${id}`).toBeLessThan(1e-3);
        expect(expected.filter((p) => p > probability + 2e-3).length).toBeLessThanOrEqual(i);
      }
    }
    const said = await page.locator('.said').last().locator('li[data-final="true"]').getAttribute('data-id');
    expect(Number(said)).toBe(shown.at(-1)![0]!.id);
  });

  test('fits the screen', async () => {
    await open();
    await expectToFit(page);
  });

  test('a long text is pooled by its largest weights, and the page says so', async () => {
    const long = 'The cat sat on the mat, and the dog ran to the red house by the sea. '.repeat(3);
    await open(long);
    const traced = await model.trace(long, { capture: ['blocks.2.attn.hook_pattern'] });
    const tokens = traced.tokens.length;
    const { data: shown, rows } = await drawn(page, `${map(2, 3)} canvas`);
    const pool = Math.ceil(tokens / rows);
    expect(pool).toBeGreaterThan(1);
    await page.getByText(`Of ${pool} × ${pool} tokens the largest weight is drawn.`).waitFor();
    const { data } = traced.get('blocks.2.attn.hook_pattern')!;
    const expected = new Float32Array(rows * rows);
    for (let q = 0; q < tokens; q++) {
      for (let k = 0; k < tokens; k++) {
        const cell = Math.floor(q / pool) * rows + Math.floor(k / pool);
        expected[cell] = Math.max(expected[cell]!, data[(3 * tokens + q) * tokens + k]!);
      }
    }
    expectClose(shown, expected, 'pooled');
  });
});
