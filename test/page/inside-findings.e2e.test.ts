import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { logitDifference, type Model, neuronLogits, patchingSweep } from '../../src/index.ts';
import { attributionPatching } from '../../src/learn/index.ts';
import { softmax } from '../../src/page/shares.ts';
import { openSite, type Site } from '../site.ts';
import { drawn, expectToFit, numbersOf, openWhole, sharedEmbedded } from './inside.ts';
import { answered, callNames, frame } from './watch.ts';

const text = 'Once upon a time there was a little girl';

let site: Site;
let page: Page;
let model: Model;
let complaints: string[] = [];
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), sharedEmbedded()]);
  ({ page, complaints } = await openWhole(site, text, 'seed=7'));
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

const numbers = (selector: string, name: string) => numbersOf(page, selector, name);
const heading = (name: string) => page.locator(`#station-${name} > h3 button`);
const logitsOf = async (of: string, edits: Parameters<Model['trace']>[1] = {}) =>
  (await model.trace(of, { ...edits, logits: [-1] })).logits.data;

test('nothing of them is asked before it is opened', async () => {
  for (const name of ['spoke', 'neuron', 'runs']) await heading(name).focus();
  await frame(page);
  await answered(page);
  expect(await page.locator('.spoke, .neuron, .compare').count()).toBe(0);
  for (const name of ['attribution', 'neuron', 'profile']) expect(await callNames(page)).not.toContain(name);
});

test('who spoke for the word that is drawn: the parts, from the drawing’s own question, sum up to its logit', async () => {
  const id = Number(await page.locator('.whole-draw').getAttribute('data-id'));
  await page.getByRole('button', { name: 'Who spoke for it?' }).click();
  await page.locator(`.spoke[data-token="${id}"][data-stale="false"]`).waitFor();
  expect(await callNames(page)).toContain('attribution');
  const logits = await logitsOf(text);
  const sum = page.locator('.spoke-sum');
  expect(Number(await sum.getAttribute('data-logit'))).toBeCloseTo(logits[id]!, 3);
  expect(Number(await sum.getAttribute('data-sum'))).toBeCloseTo(logits[id]!, 3);
  const kinds = await numbers('.spoke-sum [data-kind]', 'sum');
  expect(kinds.reduce((a, b) => a + b, 0)).toBeCloseTo(logits[id]!, 3);
  // A head's part is what the logit loses, with the norm's scale as it is, when the last block's head is silent.
  const { nLayer, nHead } = model.config;
  const last = nLayer - 1;
  const scale = (await model.trace(text, { capture: ['ln_final.hook_scale'] })).get('ln_final.hook_scale')!;
  const held = { name: 'ln_final.hook_scale', set: scale.data };
  const mlp = await model.trace(text, { capture: [`blocks.${last}.hook_mlp_out`] });
  const kept = { name: `blocks.${last}.hook_mlp_out`, set: mlp.get(`blocks.${last}.hook_mlp_out`)!.data };
  const map = await drawn(page, '.spoke canvas');
  expect([map.rows, map.columns]).toEqual([nLayer, nHead + 1]);
  for (const head of [0, nHead - 1]) {
    const silent = { name: `blocks.${last}.attn.hook_z`, head, scale: 0 };
    const without = await logitsOf(text, { edits: [silent, kept, held] });
    expect(map.data[last * (nHead + 1) + head]).toBeCloseTo(logits[id]! - without[id]!, 3);
  }
});

test('one word rather than another, and a click on a head opens it in its block', async () => {
  const [token, minus] = await page
    .locator('.spoke')
    .evaluate((one) => [
      (one as HTMLElement).dataset.token,
      document.querySelector<HTMLElement>('.rather [data-id]')!.dataset.id,
    ]);
  await page.locator(`.rather [data-id="${minus}"]`).click();
  await page.locator(`.spoke[data-minus="${minus}"][data-stale="false"]`).waitFor();
  const logits = await logitsOf(text);
  const difference = logits[Number(token)]! - logits[Number(minus)]!;
  expect(Number(await page.locator('.spoke-sum').getAttribute('data-sum'))).toBeCloseTo(difference, 3);
  const map = page.locator('.spoke .matrix');
  await map.focus();
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowRight', 'ArrowRight', 'Enter']) await page.keyboard.press(key);
  await page.locator('.block-flow[data-layer="1"][data-head="2"]').waitFor();
});

test('a neuron is reached from a cell of the MLP: where it fires, and what it writes', async () => {
  const cell = page.getByRole('application', { name: /^blocks\.1\.mlp\.hook_pre,/ });
  await cell.focus();
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight', 'Enter']) await page.keyboard.press(key);
  await page.locator('.equation').waitFor();
  await page.getByRole('button', { name: /^Neuron \d+: what it writes, where it fires/ }).click();
  await page.locator('.neuron[data-stale="false"] .writes[data-stale="false"]').waitFor();
  const which = Number(await page.locator('.neuron').getAttribute('data-neuron'));
  expect(which).toBeGreaterThan(0);
  const name = 'blocks.1.mlp.hook_post';
  const scaled = 'ln_final.hook_scale';
  const traced = await model.trace(text, { capture: [name, scaled] });
  const { data, shape } = traced.get(name)!;
  const fires = await numbers('.fires [data-at]', 'value');
  expect(fires.length).toBe(shape[0]);
  for (const [at, value] of fires.entries()) expect(value).toBeCloseTo(data[at * shape[1]! + which]!, 4);
  const at = shape[0]! - 1;
  const factor = data[at * shape[1]! + which]! / traced.get(scaled)!.data[at]!;
  expect((await numbers('.neuron-here', 'factor'))[0]).toBeCloseTo(factor, 4);
  const logits = await neuronLogits(model, 1, which);
  const ids = await numbers('.writes [data-id]', 'id');
  for (const [i, logit] of (await numbers('.writes [data-id]', 'logit')).entries()) {
    expect(logit).toBeCloseTo(logits[ids[i]!]!, 3);
  }
  expect(ids[0]).toBe(logits.indexOf(Math.max(...logits)));
  // Another one, by its number; nonsense is put back.
  const field = page.getByRole('textbox', { name: 'Neuron' });
  await field.fill('17');
  await field.press('Enter');
  await page.locator('.neuron[data-neuron="17"] .writes[data-stale="false"]').waitFor();
  await field.fill('99999');
  await field.press('Enter');
  await expect.poll(() => field.inputValue()).toBe('17');
  await page.getByRole('button', { name: 'Close', exact: true }).click();
});

test('two texts compared: every cell is what the patch does, and a click makes the patch', async () => {
  await heading('compare').click();
  const station = page.locator('#station-compare');
  const second = station.getByRole('textbox', { name: 'A second text' });
  await expect.poll(() => second.inputValue()).toBe(text);
  await station.getByRole('button', { name: 'Compare', exact: true }).click();
  await station.getByText('The two texts are the same').waitFor();
  await second.fill('Once upon a time there was a very little girl');
  await station.getByRole('button', { name: 'Compare', exact: true }).click();
  await station.getByText(/they must be as many/).waitFor();
  const other = 'Once upon a time there was a big dog';
  await second.fill(other);
  await station.getByRole('button', { name: 'Compare', exact: true }).click();
  await station.locator('[data-best]').waitFor();

  const [p, q] = [softmax(await logitsOf(text)), softmax(await logitsOf(other))];
  const moved = q.map((share, id) => share - p[id]!);
  const [right, wrong] = [moved.indexOf(Math.max(...moved)), moved.indexOf(Math.min(...moved))];
  const metric = logitDifference(right, wrong);
  const [from, to] = await Promise.all([text, other].map(async (one) => metric((await model.trace(one)).logits)));
  const { data, rows, columns } = await drawn(page, '.compare canvas');
  expect([rows, columns]).toEqual([model.config.nLayer, model.tokenizer.encode(text).length]);
  // The texts are the same up to their last two pieces, and so are the streams.
  const positions = [1, columns - 2, columns - 1];
  const table = await patchingSweep(model, other, text, metric, { positions, logits: [-1] });
  for (const [layer, row] of table.entries()) {
    for (const [i, value] of row.entries()) {
      expect(data[layer * columns + positions[i]!]).toBeCloseTo((value - from!) / (to! - from!), 2);
    }
  }

  const map = station.locator('.matrix');
  await map.focus();
  await page.keyboard.press('ArrowRight');
  for (let i = 0; i < columns - 1; i++) await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await station.getByRole('button', { name: 'Undo the patch' }).waitFor();
  await station.locator('.prediction[data-touched="true"][data-stale="false"]').waitFor();
  const name = 'blocks.1.hook_resid_pre';
  const source = (await model.trace(other, { capture: [name] })).get(name)!;
  const set = source.data.slice(-source.shape[1]!);
  const after = softmax(await logitsOf(text, { edits: [{ name, position: columns - 1, set }] }));
  const ids = await numbers('.compare .prediction tbody tr', 'id');
  for (const [i, share] of (await numbers('.compare .prediction tbody tr', 'changed')).entries()) {
    expect(share).toBeCloseTo(after[ids[i]!]!, 3);
  }
  // What speaks in the patched run is told, too, and still sums up.
  await page.locator('.spoke[data-stale="false"] [data-kind="edits"]').waitFor();
  const total = page.locator('.spoke-sum');
  const [sum, logit] = [await total.getAttribute('data-sum'), await total.getAttribute('data-logit')].map(Number);
  expect(sum).toBeCloseTo(logit!, 2);
  await station.getByRole('button', { name: 'Undo the patch' }).click();

  // All at once, by a gradient: to first order, so not the same numbers.
  await station.getByRole('radio', { name: /^roughly/ }).check();
  await station.getByRole('button', { name: 'Compare', exact: true }).click();
  await expect.poll(async () => String((await drawn(page, '.compare canvas')).data) === String(data)).toBe(false);
  await station.locator('[data-best]').waitFor();
  const [theirs, own] = [other, text].map((one) => model.tokenizer.encode(one));
  const moves = await attributionPatching(model, theirs!, own!, { loss: { logit: right, minus: wrong } });
  const rough = (await drawn(page, '.compare canvas')).data;
  for (const [layer, { data: row }] of [...moves.values()].entries()) {
    expect(rough[layer * columns + columns - 1]).toBeCloseTo(row[columns - 1]! / (to! - from!), 2);
  }
});

test('typing leaves the sweep under way, and everything fits', async () => {
  const station = page.locator('#station-compare');
  await page.getByRole('textbox', { name: 'Text to look inside' }).fill(`${text} who`);
  await station.getByText('Your text has changed').waitFor();
  await expectToFit(page);
  await answered(page);
});
