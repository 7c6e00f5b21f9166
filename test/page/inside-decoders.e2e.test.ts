import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from '../site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

const fileOf = (name: string, file: string) =>
  fileURLToPath(new URL(`../fixtures/families/${name}/${file}`, import.meta.url));

/** RMS norms, turned heads that share keys, and gated neurons; a residual that attention and MLP read side by side. */
test.each([
  ['llama-gqa', ['RMSNorm 1', 'mean square', 'hook_pre_linear'], ['LayerNorm', 'variance']],
  ['gpt-neox', ['LayerNorm 2', 'variance', '+ hook_attn_out'], ['hook_resid_mid', 'RMSNorm']],
])('a block of %s is opened as it is', async (name, told, untold) => {
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
  expect(complaints).toEqual([]);
  await page.context().close();
});
