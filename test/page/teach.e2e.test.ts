import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Encoder, load, loadEncoder, type Model, type Trace } from '../../src/index.ts';
import { type Adapter, gradients, loadAdapter, type Step, train } from '../../src/learn/index.ts';
import type { DrawnCurve } from '../../src/page/teach/curve.tsx';
import { agreeing } from '../../src/page/teach/points.ts';
import { sample } from '../../src/page/teach/sample.ts';
import { readTable, split } from '../../src/page/teach/table.ts';
import { isFull } from '../full.ts';
import { openSite, type Site } from '../site.ts';
import { complaintsOf, drawn, expectToFit } from './inside.ts';

const folder = (name: string) => fileURLToPath(new URL(`../../public/models/${name}/`, import.meta.url));

let site: Site;
let page: Page;
let complaints: string[];
const fetched = new Set<string>();

beforeAll(async () => {
  site = await openSite();
  page = await site.newPage({ viewport: { width: 1280, height: 900 } });
  complaints = complaintsOf(page, /Failed to load resource/);
  page.on('request', (request) => {
    const [, name] = /assets\/(teach)-/.exec(request.url()) ?? [];
    if (name) fetched.add(name);
  });
  await page.goto(`${site.url}#device=wasm&model=tiny-blanks`);
  await page.getByText(/in memory/).waitFor();
});
afterAll(async () => {
  await site.close();
  expect(complaints).toEqual([]);
});

const button = (name: string | RegExp) => page.getByRole('button', { name, exact: typeof name === 'string' });
const csv = () => page.getByRole('textbox', { name: /^Examples as CSV/ });
const found = () => page.locator('#examples-found');
const teach = () => page.locator('.examples .actions').last().getByRole('button');
const ended = (state: string) => page.locator(`.progress[data-state="${state}"]`).waitFor();

async function dial(name: string, value: number): Promise<void> {
  const field = page.getByRole('textbox', { name, exact: true });
  await field.fill(String(value));
  await field.press('Enter');
}

/** What the curve and the table show. */
const curve = () =>
  page.locator('.curve svg').evaluate((element) => (element as unknown as { drawn: DrawnCurve }).drawn);
const cells = () =>
  page.locator('.confusion td').evaluateAll((all) => all.map((one) => Number((one as HTMLElement).dataset.count)));

function expectNear(shown: readonly number[], expected: readonly number[], within: number): void {
  expect(shown).toHaveLength(expected.length);
  for (const [i, value] of shown.entries()) expect(Math.abs(value - expected[i]!), `${i}`).toBeLessThan(within);
}

async function expectAccessible(colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await expect.poll(() => page.locator('.teach [data-stale="true"]').count()).toBe(0);
  const { violations } = await new AxeBuilder({ page }).include('.teach').analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(serious.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`))).toEqual([]);
  await expectToFit(page);
  await page.setViewportSize({ width: 1280, height: 900 });
}

describe('an encoder', () => {
  let model: Encoder;
  const labels = ['animals', 'food', 'weather'];
  const { learnt, judged } = split(readTable(sample).rows, 0.25);
  const exampleOf = ({ text, label }: { text: string; label: string }) => ({ text, label });
  beforeAll(async () => {
    model = await loadEncoder(folder('tiny-blanks'), { device: 'wasm' });
  });
  afterAll(() => model.dispose());

  test('is taught by code that is fetched when it is asked for', async () => {
    expect([...fetched]).toEqual([]);
    await button('Teach it with your own examples').click();
    await page.locator('.teach').waitFor();
    expect([...fetched]).toEqual(['teach']);
    expect(await page.locator('.teach .local').innerText()).toMatch(/never leave this device.*background/s);
    expect(await found().innerText()).toBe('There are no examples yet.');
    expect(await teach().isDisabled()).toBe(true);
  });

  test('what is wrong with examples is said line by line', async () => {
    await csv().fill('text,label\nThe dog barked.,animals\nnothing\nSnow, and snow,weather\nThe cat ran.,animals\n');
    await expect.poll(() => found().innerText()).toContain('All examples are of one class, animals');
    const text = await found().innerText();
    expect(text).toContain('Line 3 has one column');
    expect(text).toContain('Line 4 has 3 columns. A text with commas stands in quotes');
    expect(await teach().isDisabled()).toBe(true);
    await csv().fill('text,label\nThe dog barked.,animals\n"The sky was gray.,weather\nIt rained.,weather\n');
    await expect.poll(() => found().innerText()).toContain('Line 3 opens a quote that nothing closes');
    await csv().fill(`text,label\nThe dog barked.,animals\n${'It rained. '.repeat(60)},weather\n`);
    await expect.poll(() => found().innerText()).toMatch(/Line 3 has \d+ tokens, and the model reads 128 at a time/);
    expect(await teach().isDisabled()).toBe(false);
    expect(await found().innerText()).toContain('The class animals has a single example');
  });

  test('examples are typed, and dropped as a file', async () => {
    await button('Clear').click();
    await page.getByRole('textbox', { name: 'A text of your own' }).fill('The dog, it barked.');
    await page.getByRole('combobox', { name: 'Its class' }).fill('animals');
    await page.keyboard.press('Enter');
    expect(await csv().inputValue()).toBe('"The dog, it barked.",animals\n');
    const drop = (name: string, content: string) =>
      page.evaluate(
        ([name, content]) => {
          const data = new DataTransfer();
          data.items.add(new File([content!], name!, { type: 'text/csv' }));
          const at = document.querySelector('.teach')!;
          for (const kind of ['dragover', 'drop']) {
            at.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
          }
        },
        [name, content],
      );
    await drop('bad.csv', 'a\0b');
    await expect.poll(() => found().innerText()).toContain('bad.csv is no text');
    await drop('sample.csv', sample);
    await expect
      .poll(() => found().innerText())
      .toContain('72 examples of 3 classes: animals (24), food (24), and weather (24).');
    expect(await page.locator('.drop').count()).toBe(0); // the page does not take it for a model
    expect(await page.locator('.first-rows tbody tr').count()).toBe(6);
    await page.locator('.how summary').click();
    await dial('Rounds', 2);
    await expectAccessible('dark');
  });

  let adapter: Adapter;
  test('learns, and what is shown is what the engine learns', async () => {
    await teach().click();
    await ended('ended');
    const run = train(model, learnt.map(exampleOf), {
      ...{
        labels,
        epochs: 2,
        truncation: true,
        learningRate: 2e-3,
        rank: 8,
        alpha: 16,
        evaluate: judged.map(exampleOf),
      },
    });
    const steps: Step[] = [];
    for await (const step of run) steps.push(step);
    adapter = run.adapter!;
    const { losses, judged: points } = await curve();
    expectNear(
      losses,
      steps.map(({ loss }) => loss),
      5e-3,
    );
    const evaluations = steps.flatMap(({ step, evaluation }) => (evaluation ? [{ step, ...evaluation }] : []));
    expect(points.map(({ step }) => step)).toEqual(evaluations.map(({ step }) => step));
    expectNear(
      points.map(({ loss }) => loss),
      evaluations.map(({ loss }) => loss),
      5e-3,
    );
    const counts = new Array<number>(9).fill(0);
    for (const [i, says] of evaluations.at(-1)!.predicted!.entries())
      counts[3 * labels.indexOf(judged[i]!.label) + says]!++;
    expect(await cells()).toEqual(counts);
    const right = counts[0]! + counts[4]! + counts[8]!;
    expect(await page.locator('.confusion').locator('xpath=../..').innerText()).toContain(`${right} of 18 right`);
    await expectScores(adapter);
    await expectMoved(adapter);
  });

  /** The tried text's probabilities are those of the engine with the same adapter. */
  async function expectScores(of: Adapter): Promise<void> {
    await model.setAdapter(of);
    const text = await page.getByRole('textbox', { name: 'A text', exact: true }).inputValue();
    const [expected] = await model.classify([text]);
    const shares = page.locator(`.try [data-stale="false"][data-text=${JSON.stringify(text)}] .shares li`);
    await shares.first().waitFor();
    expectNear(
      await shares.evaluateAll((all) => all.map((one) => Number((one as HTMLElement).dataset.share))),
      expected!.map(({ score }) => score),
      5e-3,
    );
  }

  /** The map's neighbours and the heads' movements are of the engine's own tensors. */
  async function expectMoved(of: Adapter): Promise<void> {
    const shown = [...judged, ...learnt];
    const names = Array.from({ length: 4 }, (_, i) => `blocks.${i}.attn.hook_pattern`);
    const text = 'The kitten ran out into the snow.';
    const sides: { right: number; trace: Trace }[] = [];
    for (const one of [null, of]) {
      await model.setAdapter(one);
      const { hidden } = await model.run(shown.map((example) => example.text));
      const vectors = hidden.map(({ data }) => data.slice(0, 128));
      const ofOne = shown.map(({ label }) => label);
      const right = agreeing(vectors, ofOne, [...judged.keys()]);
      sides.push({ right, trace: await model.trace(text, { capture: names }) });
    }
    await page.locator('.plane').nth(1).waitFor();
    for (const [i, side] of (['before', 'after'] as const).entries()) {
      const plane = page.locator(`section[data-side="${side}"][data-right]`);
      expect(Number(await plane.getAttribute('data-right'))).toBe(sides[i]!.right);
    }
    await page.locator('.moved-heads[data-stale="false"]').waitFor();
    const heads = await page
      .locator('.moved-heads button')
      .evaluateAll((all) => all.map((one) => Number((one as HTMLElement).dataset.share)));
    const expected = names.flatMap((name) => {
      const [a, b] = sides.map(({ trace }) => trace.get(name)!);
      const rows = a!.shape[1]!;
      return Array.from({ length: 4 }, (_, head) => {
        const start = head * rows * rows;
        let sum = 0;
        for (let at = start; at < start + rows * rows; at++) sum += Math.abs(a!.data[at]! - b!.data[at]!);
        return sum / 2 / rows;
      });
    });
    expectNear(heads, expected, 5e-3);
  }

  test('a mistake is looked at, and its text tried', async () => {
    const wrong = page.locator('.confusion td button').first();
    const count = Number(await wrong.innerText());
    await wrong.focus();
    await page.keyboard.press('Enter');
    expect(await wrong.getAttribute('aria-pressed')).toBe('true');
    const texts = page.locator('.mistakes li button');
    expect(await texts.count()).toBe(count);
    const text = await texts.first().locator('.word').innerText();
    await texts.first().click();
    expect(await page.getByRole('textbox', { name: 'A text', exact: true }).inputValue()).toBe(text);
    for (const part of ['.try', '.moved-heads']) {
      await page
        .locator(`${part}[data-text=${JSON.stringify(text)}], ${part} [data-text=${JSON.stringify(text)}]`)
        .waitFor();
    }
    await page.locator('.curve').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('.curve-read').innerText()).toContain('Step 1:');
    await expectAccessible('light');
  });

  test('what was learnt is taken off and on, downloaded, kept, and put on again after a visit', async () => {
    await page.getByRole('textbox', { name: 'A text', exact: true }).fill('A lion ate the cake.');
    const files: Record<string, Uint8Array<ArrayBuffer>> = {};
    for (const link of await page.locator('.keep .files a').all()) {
      const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
      files[download.suggestedFilename()] = Uint8Array.from(await readFile(await download.path()));
    }
    expect(Object.keys(files).sort()).toEqual([
      ...['adapter_config.json', 'adapter_model.safetensors', 'head.json', 'head.safetensors'],
    ]);
    const learnt = await loadAdapter(files);
    await expectScores(learnt);
    const on = page.getByRole('checkbox', { name: /^On/ });
    await on.uncheck();
    await expect.poll(() => on.isChecked()).toBe(false);
    await button('Keep in this browser').click();
    await page.getByText('Kept as tiny-blanks-taught.').waitFor();
    await page.reload();
    await page.getByText(/in memory/).waitFor();
    await button('Teach it with your own examples').click();
    await button('tiny-blanks-taught').click();
    await page.getByText('tiny-blanks-taught is on.').waitFor();
    await page.getByRole('textbox', { name: 'A text', exact: true }).fill('A lion ate the cake.');
    await expectScores(learnt);
  });

  test('a last layer alone is stopped, and what it learnt is kept', async () => {
    await button('Take the sample').click();
    await page.locator('.how summary').click();
    await page.getByRole('radio', { name: /A new last layer alone/ }).check();
    await dial('Rounds', 200);
    await teach().click();
    await page.locator('.confusion').waitFor();
    await button('Stop and keep').click();
    await ended('stopped');
    expect(await page.locator('.progress').innerText()).toMatch(
      /Stopped after \d+ steps. What it learnt until then is kept/,
    );
    await page.getByText('nothing inside moved').waitFor();
    expect(await page.locator('.keep .files').innerText()).not.toContain('adapter_model');
  });
});

describe('a model that writes', () => {
  let model: Model;
  beforeAll(async () => {
    model = await load(folder('tiny-tales'), { device: 'wasm' });
  });
  afterAll(() => model.dispose());

  test('is taught anew: a run whose room is left is gone with its model', async () => {
    await teach().click();
    await page.locator('.progress[data-state="learns"]').waitFor();
    await button('Back to writing').click();
    await page.getByRole('textbox', { name: 'The text whose style is learnt' }).waitFor();
    expect(await page.locator('.progress').count()).toBe(0);
    expect(await teach().isDisabled()).toBe(true);
  });

  test('learns to go on like a text; before and after are what the engine writes', async () => {
    await page
      .getByRole('textbox', { name: 'The text whose style is learnt' })
      .fill('And it was good.\n\nAnd it rained.');
    await page.locator('.how summary').click();
    await dial('Rounds', 2);
    await page.getByText(/^2 pieces, /).waitFor();
    await teach().click();
    await ended('ended');
    const run = train(model, [{ text: 'And it was good.' }, { text: 'And it rained.' }], {
      ...{ rank: 8, alpha: 16, epochs: 2, batchSize: 4, learningRate: 5e-3 },
    });
    const steps: Step[] = [];
    for await (const step of run) steps.push(step);
    expectNear(
      (await curve()).losses,
      steps.map(({ loss }) => loss),
      1e-2,
    );
    await page.locator('.sides[data-stale="false"] .written').nth(1).waitFor();
    const written = (side: string) => page.locator(`[data-side="${side}"] .written`).innerText();
    const dials = { maxNewTokens: 48, temperature: 0.7, seed: 1 };
    await model.setAdapter(null);
    const { text } = await model.complete('Lily had a cat.', dials);
    expect((await written('before')).trim()).toBe(text.trim());
    expect(await written('after')).not.toBe('');
  });

  test('what it learnt is on in all of the page: see inside reads the text anew when it is taken off', async () => {
    await button('See inside the model').click();
    await page.locator('#station-output > h3 button').click();
    const logits = async () => (await drawn(page, 'canvas[data-tensor="logits"]')).data.slice(0, 400);
    await page.locator('canvas[data-tensor="logits"]').waitFor();
    const adapted = await logits();
    await page.getByRole('checkbox', { name: /^On/ }).uncheck();
    const { data } = (await model.trace('Once upon a time', { logits: [-1] })).logits;
    await expect.poll(async () => Math.abs((await logits())[7]! - data[7]!)).toBeLessThan(1e-2);
    expectNear(await logits(), [...data.subarray(0, 400)], 1e-2);
    expect(adapted.some((logit, i) => Math.abs(logit - data[i]!) > 0.1)).toBe(true);
    await button('Close the model').click();
  });

  test('the lesson on add and norm has the engine’s gradients', async () => {
    await button(/what add and norm are for/).click();
    const chart = page.locator('.depth[data-stale="false"]');
    await page.getByRole('radio', { name: 'The open model, 6 blocks' }).check();
    await page.locator('.depth[data-stale="false"][data-which="open"]').waitFor();
    const sizes = await chart
      .locator('.depth-chart svg')
      .evaluate((element) => (element as unknown as { drawn: Record<string, number[]> }).drawn);
    const ids = model.tokenizer.encode(await page.getByRole('textbox', { name: 'Your text' }).inputValue());
    const wrt = Array.from({ length: 6 }, (_, i) => `blocks.${i}.hook_resid_pre`);
    const variants = { whole: [], residuals: ['residuals'], norms: ['norms'], both: ['residuals', 'norms'] } as const;
    for (const [name, without] of Object.entries(variants)) {
      const of = await gradients(model, ids, { loss: 'next-token', wrt, without });
      const expected = wrt.map((one) => {
        const { data } = of.get(one);
        return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
      });
      expect(sizes[name]!.length).toBe(6);
      for (const [i, size] of sizes[name]!.entries()) expect(Math.abs(size / expected[i]! - 1)).toBeLessThan(0.01);
    }
    if (isFull) {
      await page.getByRole('radio', { name: 'Untaught, 48 blocks' }).check();
      await page.locator('.depth[data-stale="false"][data-which="48"]').waitFor();
      expect(await page.locator('.depth .says').innerText()).toMatch(/norms it grows 10¹.* both it shrinks to 1\/10¹/);
    }
    await expectAccessible('dark');
  });
});
