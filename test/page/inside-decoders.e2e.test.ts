import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from '../site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

const fileOf = (name: string, file: string) =>
  fileURLToPath(new URL(`../fixtures/families/${name}/${file}`, import.meta.url));

/** Cells have equations of the family's own plan; the other stations read it, too. Neither family adds positions. */
async function expectExplained(page: Page): Promise<void> {
  const close = page.getByRole('button', { name: 'Close', exact: true });
  for (const name of ['ln1.hook_normalized', 'mlp.hook_pre', 'hook_attn_out']) {
    const picture = page.locator('.matrix', { has: page.locator(`canvas[data-tensor="blocks.0.${name}"]`) });
    await picture.first().focus();
    for (const key of ['ArrowRight', 'ArrowRight', 'Enter']) await page.keyboard.press(key);
    const equation = page.locator(`.equation[data-cell^="blocks.0.${name}"]`);
    await equation.waitFor();
    const [value, result] = await Promise.all(['data-value', 'data-result'].map((of) => equation.getAttribute(of)));
    expect(Number(result)).toBeCloseTo(Number(value), 3);
    await close.click();
  }
  await page.locator('.block-flow canvas[data-tensor*="hook_attn_out of head"]').waitFor();
  for (const station of ['input', 'spoke', 'neuron']) await page.locator(`#station-${station} > h3 button`).click();
  const sum = page.locator('.spoke-sum');
  await sum.waitFor();
  expect(Number(await sum.getAttribute('data-sum'))).toBeCloseTo(Number(await sum.getAttribute('data-logit')), 2);
  await page.locator('.writes [data-logit]').first().waitFor();
  await page.locator('#station-input canvas[data-tensor="hook_embed"]').waitFor();
  await page.locator('.nearest [data-id]').first().waitFor();
  expect(await page.locator('#station-input canvas[data-tensor="hook_pos_embed"]').count()).toBe(0);
  expect(await page.locator('.inside [role="alert"]').allInnerTexts()).toEqual([]);
}

/** RMS norms, turned heads that share keys, and gated neurons; a residual that attention and MLP read side by side. */
test.each([
  ['llama-gqa', ['RMSNorm 1', 'mean square', 'hook_pre_linear'], ['LayerNorm', 'variance']],
  ['gpt-neox', ['LayerNorm 2', 'variance', '+ hook_attn_out'], ['hook_resid_mid', 'RMSNorm']],
])('a block of %s is opened as it is, and its numbers explained', async (name, told, untold) => {
  const page = await site.newPage({ viewport: { width: 1280, height: 900 } });
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${site.url}#prompt=the%20boat%20and%20the%20lamp&device=cpu`);
  await page.getByText(/in memory/).waitFor();
  await page.getByRole('button', { name: 'Change model' }).click();
  const files = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  await page.locator('input[type=file]').setInputFiles(files.map((file) => fileOf(name, file)));
  await page.getByText(/^2 blocks of/).waitFor();
  await page.getByRole('button', { name: 'Look inside' }).click();
  await page.locator('.whole[data-stale="false"] [data-norm]').first().waitFor();
  await page.getByText('One block, opened').click();
  const block = page.locator('.block-flow');
  // Another head: where keys are shared it has none of its own.
  await block.waitFor();
  const nextHead = page.getByRole('button', { name: /next head/i }).first();
  if (await nextHead.isEnabled()) await nextHead.click();
  await expect.poll(() => block.innerText()).toContain(told[0]);
  const text = await block.innerText();
  for (const words of told) expect(text).toContain(words);
  for (const words of untold) expect(text).not.toContain(words);
  await expectExplained(page);
  expect(complaints).toEqual([]);
  await page.context().close();
});
