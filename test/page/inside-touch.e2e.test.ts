import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { openSite, type Site } from '../site.ts';
import { eventually, isFocused, openInside, sharedEmbedded, visitInside } from './inside.ts';
import { frame } from './watch.ts';

const tinyGpt2 = ['config.json', 'model.safetensors', 'tokenizer.json'].map((name) =>
  fileURLToPath(new URL(`../fixtures/tiny-gpt2/${name}`, import.meta.url)),
);
const text = 'Once upon a time there was a little girl';

let site: Site;
let page: Page;
let model: Model;
let complaints: string[] = [];
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), sharedEmbedded()]);
  ({ page, complaints } = await openInside(site, text, ['touch']));
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

function softmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

async function probabilities(edits: Parameters<Model['trace']>[1] = {}): Promise<number[]> {
  return softmax((await model.trace(text, { ...edits, logits: [-1] })).logits.data);
}

const presses = async (name: string, times: number) => {
  for (let i = 0; i < times; i++) await page.getByRole('button', { name }).click();
};

/** The rows of the table of predictions, once it shows (un)changed runs. */
async function predictions(changed: boolean) {
  await page.locator(`.prediction[data-touched="${changed}"][data-stale="false"]`).waitFor();
  return page.locator('.prediction tbody tr').evaluateAll((rows) =>
    rows.map(({ dataset }) => {
      const { id, untouched, changed } = dataset as DOMStringMap;
      return { id: Number(id), untouched: Number(untouched), changed: Number(changed) };
    }),
  );
}

/** Until the table shows what these edits make of the text, beside what it is without them. */
async function expectPredictions(
  edits: { name: string; head?: number; position?: number; scale?: number; set?: Float32Array }[],
) {
  const [before, after] = await Promise.all([probabilities(), probabilities({ edits })]);
  await eventually(async () => {
    const rows = await predictions(edits.length > 0);
    expect(rows[0]?.id).toBe(after.indexOf(Math.max(...after)));
    for (const { id, untouched, changed } of rows) {
      expect(changed, `token ${id}`).toBeCloseTo(after[id]!, 3);
      expect(untouched, `token ${id}`).toBeCloseTo(before[id]!, 3);
    }
  });
  return { before, after };
}

/** The shares that the sliders stand at, once they are read. */
async function shares(): Promise<number[]> {
  const said = await page.locator('.sliders[data-stale="false"] output').allInnerTexts();
  return said.map((share) => Number.parseFloat(share) / 100);
}

describe('the inspector', () => {
  const picture = () =>
    page.getByRole('application', { name: 'Their sum' }).and(page.locator('[data-stale="false"]')).first();
  const equation = (of: string) => page.locator(`.inspector .equation[data-cell^="${of}"]`);
  const back = () => page.getByRole('button', { name: 'Back', exact: true });
  /** Chooses a number of the marked row, the last token's, by the keyboard: it starts there. */
  const choose = async (...keys: string[]) => {
    await picture().focus();
    for (const key of ['ArrowRight', ...keys, 'Enter']) await page.keyboard.press(key);
    await equation('blocks.0.hook_resid_pre[').waitFor();
  };

  test('from a cell to its equation, its operands, and back to the weights; Back leads no further than to the cell chosen last', async () => {
    await visitInside(page, text, ['input']);
    await choose('ArrowRight');
    const sum = equation('blocks.0.hook_resid_pre[');
    const [, row, column] = /\[(\d+), (\d+)\]/.exec((await sum.getAttribute('data-cell'))!)!.map(Number);
    const ids = model.tokenizer.encode(text);
    expect([row, column]).toEqual([ids.length - 1, 1]);
    const captured = await model.trace(text, { capture: ['blocks.0.hook_resid_pre', 'hook_embed', 'hook_pos_embed'] });
    const at = (name: string) => captured.get(name)!.data[row! * model.config.nEmbd + column!]!;
    expect(Number(await sum.getAttribute('data-value'))).toBeCloseTo(at('blocks.0.hook_resid_pre'), 4);
    const operands = sum.locator('.written .operand');
    expect(await operands.evaluateAll((all) => all.map((one) => (one as HTMLElement).title))).toEqual([
      `hook_embed[${row}, ${column}]`,
      `hook_pos_embed[${row}, ${column}]`,
    ]);
    await operands.first().click();
    const embedded = equation(`hook_embed[${row}, ${column}]`);
    await embedded.waitFor();
    await expect.poll(() => back().isEnabled()).toBe(true);
    await choose('ArrowRight');
    await expect.poll(() => back().isEnabled()).toBe(false);
    await operands.first().click();
    await embedded.locator('.operand').first().click();
    const weight = equation(`wte.weight[${ids[row!]}, ${column}]`);
    await weight.waitFor();
    const weights = await model.weight('wte.weight', { rows: [ids[row!]!] });
    expect(Number(await weight.getAttribute('data-value'))).toBeCloseTo(weights.data[column!]!, 4);
    await back().click();
    await embedded.waitFor();
    await page.keyboard.press('Escape');
    await embedded.waitFor({ state: 'detached' });
    await expect.poll(() => isFocused(picture())).toBe(true);
  });

  test('a cell that a shorter text does not have is left, and the focus stays with the text', async () => {
    await visitInside(page, text, ['input']);
    for (const shorter of ['Once upon', '']) {
      await choose();
      await page.locator('textarea').fill(shorter);
      await page.locator('.inspector').waitFor({ state: 'detached' });
      expect(await isFocused(page.locator('textarea'))).toBe(true);
      expect(await page.locator('.inside [role="alert"]').count()).toBe(0);
      await page.locator('textarea').fill(text);
      await page.locator('.bar .ribbon [role="radio"]').nth(8).waitFor();
    }
  });
});

describe('touching the model', () => {
  test('a head knocked out, an MLP scaled, and both undone: the predictions are those of the same edits', async () => {
    await visitInside(page, text, ['touch']);
    await expectPredictions([]);
    await presses('Next head', 1);
    await page.getByRole('button', { name: 'Knock out', exact: true }).first().click();
    const knockedOut = { name: 'blocks.0.attn.hook_z', head: 1, scale: 0 };
    const { before, after } = await expectPredictions([knockedOut]);
    const divergence = before.reduce((sum, p, id) => sum + (p > 0 ? p * Math.log(p / after[id]!) : 0), 0);
    expect(Number(await page.locator('.prediction').getAttribute('data-divergence'))).toBeCloseTo(divergence, 3);

    await page.getByRole('slider', { name: 'MLP of block 0' }).fill('2');
    await expectPredictions([knockedOut, { name: 'blocks.0.hook_mlp_out', scale: 2 }]);
    await page.getByText('You changed this run').waitFor();
    await page.getByRole('button', { name: 'Undo all' }).click();
    await expectPredictions([]);
  });

  test('a row of attention, by its sliders: it sums to one, and a share of 1 taken back leaves the others their proportions', async () => {
    await visitInside(page, text, ['touch']);
    const name = 'blocks.0.attn.hook_pattern';
    const { data, shape } = (await model.trace(text, { capture: [name] })).get(name)!;
    const length = shape[1]!;
    const row = data.slice((length - 1) * length, length * length); // head 0, last query
    await eventually(async () => {
      const percents = await shares();
      expect(percents.length).toBe(length);
      for (const [key, share] of percents.entries()) expect(share).toBeCloseTo(row[key]!, 2);
    });

    const slider = page.getByRole('slider', { name: /^Share of token 2,/ });
    const withShare = (share: number) =>
      row.map((own, key) => (key === 2 ? share : (own / (1 - row[2]!)) * (1 - share)));
    const sum = async () => Number(await page.locator('.sliders').getAttribute('data-sum'));
    for (const share of [0.7, 1, 0.2]) {
      await slider.fill(String(share));
      await expectPredictions([{ name, head: 0, position: length - 1, set: withShare(share) }]);
      expect(await sum()).toBeCloseTo(1, 4);
    }
    await page.getByRole('button', { name: 'Look at itself' }).click();
    const itself = new Float32Array(length);
    itself[length - 1] = 1;
    await expectPredictions([{ name, head: 0, position: length - 1, set: itself }]);
  });

  test('a share moved by the keyboard, faster than the model runs: focus stays and no press is lost', async () => {
    await visitInside(page, text, ['block', 'touch']);
    const slider = page.locator('.sliders[data-stale="false"]').getByRole('slider', { name: /^Share of token 2,/ });
    await slider.focus();
    await slider.evaluate((element) => {
      const lost: string[] = [];
      Object.assign(globalThis, { lost });
      element.addEventListener('blur', () => lost.push('focus'));
      const look = () => document.querySelector('.sliders') || lost.push('sliders');
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
    });
    const before = Number(await slider.inputValue());
    const at = async () => Number(await slider.inputValue());
    for (let i = 0; i < 10; i++) {
      await page.keyboard.press('ArrowRight');
      await frame(page);
    }
    await expect.poll(at).toBeCloseTo(before + 0.1, 5);
    await predictions(true);
    expect(await at()).toBeCloseTo(before + 0.1, 5);
    expect(await isFocused(slider)).toBe(true);
    expect(await page.evaluate(() => (globalThis as unknown as { lost: string[] }).lost)).toEqual([]);
  });

  test('the row of another block cannot be changed before it is read', async () => {
    await visitInside(page, text, ['touch']);
    await page.locator('.sliders[data-stale="false"]').waitFor();
    const [heading, enabled, shown] = await page.evaluate(async () => {
      document.querySelector<HTMLElement>('[aria-label="Next block"]')!.click();
      const figure = document.querySelector('.sliders')!.closest('figure')!;
      const heading = () => figure.querySelector('h4')!.textContent;
      // It is drawn anew in a microtask: before an answer of the worker, which is a task.
      for (let i = 0; i < 100 && !heading().includes('block 1'); i++) await null;
      const enabled = figure.querySelectorAll('input:enabled, button:enabled').length;
      return [heading(), enabled, figure.querySelector('output')!.textContent] as const;
    });
    expect(heading).toContain('block 1');
    expect(enabled).toBe(0);
    expect(shown).toBe('…'); // no number of the block before stands under the name of this one
    const name = 'blocks.1.attn.hook_pattern';
    const { data, shape } = (await model.trace(text, { capture: [name] })).get(name)!;
    const row = data.subarray((shape[1]! - 1) * shape[1]!);
    await page.locator('.sliders[data-stale="false"]').waitFor();
    const percents = await shares();
    expect(percents.length).toBe(shape[1]);
    for (const [key, share] of percents.entries()) expect(share).toBeCloseTo(row[key]!, 2);
  });

  test('patched from a second text; changes of what another model does not have wait, and leave it as it is', async () => {
    await visitInside(page, text, ['touch'], { block: 3 });
    const other = 'The big dog and the cat';
    await page.getByLabel('Second text').fill(other);
    await page.getByRole('button', { name: 'Run it' }).click();
    await page.getByRole('button', { name: 'Token 2 of the second text' }).click();
    const name = 'blocks.3.hook_resid_pre';
    const source = (await model.trace(other, { capture: [name] })).get(name)!;
    const width = source.shape[1]!;
    const set = source.data.slice(2 * width, 3 * width);
    await expectPredictions([{ name, position: model.tokenizer.encode(text).length - 1, set }]);

    const knockOut = page.getByRole('button', { name: 'Knock out', exact: true });
    await presses('Previous block', 3);
    await presses('Next head', 3);
    await knockOut.first().click(); // head 3 of block 0
    await presses('Next block', 5);
    await knockOut.last().click(); // MLP of block 5
    await page.getByRole('button', { name: 'Look at itself' }).click();
    await expect.poll(() => page.locator('.changes li').count()).toBe(4);
    await page.getByRole('button', { name: 'Change model' }).click();
    await page.locator('input#files').setInputFiles(tinyGpt2); // 3 blocks of 3 heads
    await page.getByText('3 blocks of 3 heads').waitFor();
    await page.locator('.bar .stepper').getByText('/ 2').first().waitFor();
    await predictions(false);
    expect(await page.locator('.inside [role="alert"]').allInnerTexts()).toEqual([]);
  });
});
