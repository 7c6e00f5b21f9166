import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Model } from '../../src/index.ts';
import { openSite, type Site } from '../site.ts';
import { complaintsOf, loadEmbedded } from './inside.ts';
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
  [site, model] = await Promise.all([openSite(), loadEmbedded()]);
});
afterAll(async () => {
  model.dispose();
  await site.close();
});
beforeEach(async () => {
  page = await site.newPage({ viewport: { width: 1280, height: 900 } });
  complaints = complaintsOf(page);
  await page.goto(`${site.url}#prompt=${encodeURIComponent(text)}&device=wasm`);
  await page.getByText(/in memory/).waitFor();
  await page.getByRole('button', { name: 'See inside' }).click();
  await page.locator('.ribbon [aria-checked="true"]').waitFor();
});
afterEach(async () => {
  await page.context().close();
  expect(complaints).toEqual([]);
});

const station = async (name: string): Promise<Locator> => {
  const section = page.locator(`#station-${name}`);
  const button = section.locator('h3 button').first();
  if ((await button.getAttribute('aria-expanded')) !== 'true') await button.click();
  return section;
};

function softmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

async function probabilities(edits: Parameters<Model['trace']>[1] = {}): Promise<number[]> {
  return softmax((await model.trace(text, { ...edits, logits: [-1] })).logits.data);
}

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

async function expectPredictions(
  edits: { name: string; head?: number; position?: number; scale?: number; set?: Float32Array }[],
) {
  const [before, after] = await Promise.all([probabilities(), probabilities({ edits })]);
  await expect
    .poll(async () => {
      const rows = await predictions(edits.length > 0);
      return rows.length > 0 && rows.every(({ id, changed }) => Math.abs(changed - after[id]!) < 1e-3);
    })
    .toBe(true);
  const rows = await predictions(edits.length > 0);
  for (const row of rows) expect(row.untouched).toBeCloseTo(before[row.id]!, 3);
  const best = after.indexOf(Math.max(...after));
  expect(rows[0]!.id).toBe(best);
  return { before, after };
}

describe('touching the model', () => {
  test('a head knocked out, an MLP scaled, and both undone: the predictions are those of the same edits', async () => {
    await station('touch');
    await expectPredictions([]);
    await page.getByRole('button', { name: 'Next head' }).click();
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

  test('a row of attention, by its sliders: it still sums to one', async () => {
    await station('touch');
    const before = (await model.trace(text, { capture: ['blocks.0.attn.hook_pattern'] })).get(
      'blocks.0.attn.hook_pattern',
    )!;
    const length = before.shape[1]!;
    const row = before.data.slice((length - 1) * length, length * length); // head 0, last query
    const shares = page.locator('.sliders output');
    await expect.poll(() => shares.count()).toBe(length);
    const percents = (await shares.allInnerTexts()).map((share) => Number.parseFloat(share) / 100);
    for (const [key, share] of percents.entries()) expect(share).toBeCloseTo(row[key]!, 2);

    await page.getByRole('slider', { name: /^Share of token 2,/ }).fill('0.7');
    const rest = 1 - row[2]!;
    const set = row.map((share, key) => (key === 2 ? 0.7 : (share / rest) * 0.3));
    await expectPredictions([{ name: 'blocks.0.attn.hook_pattern', head: 0, position: length - 1, set }]);
    await expect.poll(async () => Number(await page.locator('.sliders').getAttribute('data-sum'))).toBeCloseTo(1, 4);
    await page.getByRole('button', { name: 'Look at itself' }).click();
    const itself = new Float32Array(length);
    itself[length - 1] = 1;
    await expectPredictions([{ name: 'blocks.0.attn.hook_pattern', head: 0, position: length - 1, set: itself }]);
  });

  test('a share moved by the keyboard, faster than the model runs: focus stays and no press is lost', async () => {
    await station('block');
    await station('touch');
    const slider = page.getByRole('slider', { name: /^Share of token 2,/ });
    await slider.waitFor();
    await page.evaluate(() => {
      const gone = () => document.querySelector('.sliders') || Object.assign(globalThis, { gone: true });
      new MutationObserver(gone).observe(document.body, { childList: true, subtree: true });
    });
    await slider.focus();
    const before = Number(await slider.inputValue());
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('ArrowRight');
      await frame(page);
    }
    expect(Number(await slider.inputValue())).toBeCloseTo(before + 0.3, 5);
    expect(await slider.evaluate((element) => element === document.activeElement)).toBe(true);
    await predictions(true);
    expect(await page.evaluate(() => 'gone' in globalThis)).toBe(false);
    expect(Number(await slider.inputValue())).toBeCloseTo(before + 0.3, 5);
  });

  test('a share of 1 taken back: the others have their proportions again', async () => {
    await station('touch');
    const name = 'blocks.0.attn.hook_pattern';
    const { data, shape } = (await model.trace(text, { capture: [name] })).get(name)!;
    const length = shape[1]!;
    const row = data.slice((length - 1) * length, length * length);
    const slider = page.getByRole('slider', { name: /^Share of token 2,/ });
    await slider.fill('1');
    await predictions(true);
    await slider.fill('0.2');
    const set = row.map((share, key) => (key === 2 ? 0.2 : (share / (1 - row[2]!)) * 0.8));
    await expectPredictions([{ name, head: 0, position: length - 1, set }]);
  });

  test('the row of another block cannot be changed before it is read', async () => {
    await station('touch');
    const shares = page.locator('.sliders');
    await shares.waitFor();
    const [heading, enabled, shown] = await page.evaluate(async () => {
      document.querySelector<HTMLElement>('[aria-label="Next block"]')!.click();
      await new Promise(requestAnimationFrame); // drawn again, but nothing is read yet
      const figure = document.querySelector('.sliders')!.closest('figure')!;
      const enabled = figure.querySelectorAll('input:enabled, button:enabled').length;
      return [figure.querySelector('h4')!.textContent, enabled, figure.querySelector('output')!.textContent] as const;
    });
    expect(heading).toContain('block 1');
    expect(enabled).toBe(0);
    expect(shown).toBe('…'); // no number of the block before stands under the name of this one
    await page.locator('.sliders[data-stale="false"]').waitFor();
    const name = 'blocks.1.attn.hook_pattern';
    const { data, shape } = (await model.trace(text, { capture: [name] })).get(name)!;
    const row = data.subarray((shape[1]! - 1) * shape[1]!);
    const percents = (await shares.locator('output').allInnerTexts()).map((share) => Number.parseFloat(share) / 100);
    for (const [key, share] of percents.entries()) expect(share).toBeCloseTo(row[key]!, 2);
  });

  test('changes of what another model does not have wait, and leave it as it is', async () => {
    await station('touch');
    const knockOut = page.getByRole('button', { name: 'Knock out', exact: true });
    for (let i = 0; i < 3; i++) await page.getByRole('button', { name: 'Next head' }).click();
    await knockOut.first().click(); // head 3 of block 0
    for (let i = 0; i < 5; i++) await page.getByRole('button', { name: 'Next block' }).click();
    await knockOut.last().click(); // MLP of block 5
    await page.getByRole('button', { name: 'Look at itself' }).click();
    await page.getByRole('button', { name: 'Previous block' }).click();
    await page.getByLabel('Second text').fill('The big dog and the cat');
    await page.getByRole('button', { name: 'Run it' }).click();
    await page.getByRole('button', { name: 'Token 2 of the second text' }).click();
    await page.locator('.changes li').nth(3).waitFor();
    await page.getByRole('button', { name: 'Change model' }).click();
    await page.locator('input[type=file]').setInputFiles(tinyGpt2); // 3 blocks of 3 heads
    await page.getByText('3 blocks of 3 heads').waitFor();
    await page.locator('.stepper').getByText('/ 2').first().waitFor();
    await predictions(false);
    expect(await page.locator('.inside [role="alert"]').allInnerTexts()).toEqual([]);
  });

  test('patched from a second text', async () => {
    const touchIt = await station('touch');
    for (let i = 0; i < 3; i++) await page.getByRole('button', { name: 'Next block' }).click();
    const other = 'The big dog and the cat';
    await touchIt.getByLabel('Second text').fill(other);
    await touchIt.getByRole('button', { name: 'Run it' }).click();
    await touchIt.getByRole('button', { name: 'Token 2 of the second text' }).click();
    const name = 'blocks.3.hook_resid_pre';
    const source = (await model.trace(other, { capture: [name] })).get(name)!;
    const width = source.shape[1]!;
    const set = source.data.slice(2 * width, 3 * width);
    await expectPredictions([{ name, position: model.tokenizer.encode(text).length - 1, set }]);
  });
});

describe('the inspector', () => {
  test('from a cell to its equation, its operands, and back to the weights', async () => {
    await station('input');
    const picture = page.getByRole('application', { name: 'Their sum' }).first();
    await picture.focus();
    await page.keyboard.press('ArrowRight'); // the keyboard starts at the marked row
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    const equation = page.locator('.inspector .equation');
    await equation.waitFor();
    const [, row, column] = /\[(\d+), (\d+)\]/.exec((await equation.getAttribute('data-cell'))!)!.map(Number);
    const ids = model.tokenizer.encode(text);
    const captured = await model.trace(text, { capture: ['blocks.0.hook_resid_pre', 'hook_embed', 'hook_pos_embed'] });
    const at = (name: string) => captured.get(name)!.data[row! * model.config.nEmbd + column!]!;
    expect(Number(await equation.getAttribute('data-value'))).toBeCloseTo(at('blocks.0.hook_resid_pre'), 4);
    const operands = equation.locator('.written .operand');
    expect(await operands.evaluateAll((all) => all.map((one) => (one as HTMLElement).title))).toEqual([
      `hook_embed[${row}, ${column}]`,
      `hook_pos_embed[${row}, ${column}]`,
    ]);
    await operands.first().click();
    await page.locator(`.equation[data-cell="hook_embed[${row}, ${column}]"]`).waitFor();
    await equation.locator('.operand').first().click();
    await page.locator(`.equation[data-cell="wte.weight[${ids[row!]}, ${column}]"]`).waitFor();
    const weights = await model.weight('wte.weight', { rows: [ids[row!]!] });
    expect(Number(await equation.getAttribute('data-value'))).toBeCloseTo(weights.data[column!]!, 4);
    await page.getByRole('button', { name: 'Back' }).click();
    await page.locator(`.equation[data-cell="hook_embed[${row}, ${column}]"]`).waitFor();
    await page.keyboard.press('Escape');
    await equation.waitFor({ state: 'detached' });
    expect(await picture.evaluate((element) => element === document.activeElement)).toBe(true);
  });

  test('a cell that a shorter text does not have is left, and the focus stays with the text', async () => {
    await station('input');
    const picture = page.getByRole('application', { name: 'Their sum' }).first();
    const equation = page.locator('.inspector .equation');
    const open = async () => {
      await picture.focus();
      await page.keyboard.press('ArrowRight'); // the last token
      await page.keyboard.press('Enter');
      await equation.waitFor();
    };
    for (const shorter of ['Once upon', '']) {
      await open();
      await page.locator('textarea').fill(shorter);
      await page.locator('.inspector').waitFor({ state: 'detached' });
      expect(await page.locator('textarea').evaluate((element) => element === document.activeElement)).toBe(true);
      expect(await page.locator('.inside [role="alert"]').count()).toBe(0);
      await page.locator('textarea').fill(text);
      await page.locator('.ribbon [role="radio"]').nth(8).waitFor();
    }
  });

  test('Back leads no further than to the cell chosen last in a picture', async () => {
    await station('input');
    const picture = page.getByRole('application', { name: 'Their sum' }).first();
    const equation = page.locator('.inspector .equation');
    const back = page.getByRole('button', { name: 'Back' });
    await picture.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await equation.locator('.written .operand').first().click();
    await page.locator('.equation[data-cell^="hook_embed["]').waitFor();
    expect(await back.isEnabled()).toBe(true);
    await picture.focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await page.locator('.equation[data-cell^="blocks.0.hook_resid_pre["]').waitFor();
    expect(await back.isEnabled()).toBe(false);
  });
});
