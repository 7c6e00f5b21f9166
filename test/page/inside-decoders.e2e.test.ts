import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from '../site.ts';
import { eventually } from './inside.ts';

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
  // What the vocabulary puts before every text is read, too, as where the model writes.
  const begins = await page.locator('.bar .ribbon button').first().innerText();
  expect(begins === '<s>').toBe(name === 'llama-gqa');
  await page.getByText('One block, opened').click();
  const block = page.locator('.block-flow');
  // Another head: where keys are shared it has none of its own.
  await block.waitFor();
  const nextHead = page.getByRole('button', { name: /next head/i }).first();
  if (await nextHead.isEnabled()) await nextHead.click();
  await eventually(async () => {
    const text = await block.innerText();
    for (const words of told) expect(text).toContain(words);
    for (const words of untold) expect(text).not.toContain(words);
  });
  await expectExplained(page);
  expect(complaints).toEqual([]);
  await page.context().close();
});

/** A fixture whose blocks are repeated until there are so many of them. */
async function deepened(name: string, count: number): Promise<{ name: string; mimeType: string; buffer: Buffer }[]> {
  const read = (file: string) => readFile(fileOf(name, file));
  const config = { ...JSON.parse((await read('config.json')).toString()), num_hidden_layers: count };
  const weights = await read('model.safetensors');
  const end = 8 + Number(weights.readBigUInt64LE());
  const header = JSON.parse(weights.subarray(8, end).toString()) as Record<string, { data_offsets?: number[] }>;
  // Names of one tensor's bytes may be many.
  const tensors = Object.entries(header).filter(([, { data_offsets }]) => data_offsets);
  const parts: Buffer[] = [];
  const deep: Record<string, object> = {};
  let at = 0;
  const put = (as: string, entry: { data_offsets?: number[] }) => {
    const bytes = weights.subarray(...(entry.data_offsets!.map((offset) => end + offset) as [number, number]));
    deep[as] = { ...entry, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  };
  for (const [tensor, entry] of tensors) if (!tensor.includes('.layers.')) put(tensor, entry);
  for (let layer = 0; layer < count; layer++) {
    for (const [tensor, entry] of tensors)
      if (tensor.includes('.layers.0.')) put(tensor.replace('.layers.0.', `.layers.${layer}.`), entry);
  }
  const json = Buffer.from(JSON.stringify(deep));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = (name: string, buffer: Buffer) => ({ name, mimeType: 'application/octet-stream', buffer });
  return [
    file('config.json', Buffer.from(JSON.stringify(config))),
    file('model.safetensors', Buffer.concat([length, json, ...parts])),
    file('tokenizer.json', await read('tokenizer.json')),
    file('tokenizer_config.json', await read('tokenizer_config.json')),
  ];
}

test('the numbers of thirty blocks have room on a large screen and on a small one', async () => {
  const page = await site.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${site.url}#prompt=the%20boat%20and%20the%20lamp&device=wasm&block=12`);
  await page.getByText(/in memory/).waitFor();
  await page.getByRole('button', { name: 'Change model' }).click();
  await page.locator('input#files').setInputFiles(await deepened('llama-gqa', 30));
  await page.getByText(/^30 blocks of/).waitFor();
  await page
    .getByRole('button', { name: /Look inside|See inside the model/ })
    .first()
    .click();
  await page.locator('.whole[data-stale="false"] [data-norm]').first().waitFor();
  const buttons = page.locator('.block-names button');
  await expect.poll(() => buttons.count()).toBe(30);
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await eventually(async () => {
      // Where each number's letters stand, those of the chosen block among them.
      const spans = await buttons.evaluateAll((all) =>
        all.flatMap((button) => {
          const text = document.createRange();
          text.selectNodeContents(button);
          const { left, right } = text.getBoundingClientRect();
          return button.textContent ? [{ left, right }] : [];
        }),
      );
      expect(spans.length).toBeGreaterThan(2);
      for (const [i, { left }] of spans.entries()) if (i > 0) expect(left).toBeGreaterThan(spans[i - 1]!.right + 2);
    });
  }
  await page.context().close();
});
