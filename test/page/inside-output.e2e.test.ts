import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { distribution, type GenerateOptions, type Model } from '../../src/index.ts';
import { gradients, integratedGradients } from '../../src/learn/index.ts';
import { openSite, type Site } from '../site.ts';
import { drawn, eventually, expectToFit, openInside, sharedEmbedded, visitInside } from './inside.ts';

const text = 'Once upon a time there was a little';

let site: Site;
let page: Page;
let model: Model;
let ids: number[];
let complaints: string[] = [];
let opened = '';
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), sharedEmbedded()]);
  ids = model.tokenizer.encode(text);
  ({ page, complaints } = await openInside(site, text, ['output']));
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

/** Tests of the same dials share a state. */
async function open(dials = '') {
  if (dials !== opened) await visitInside(page, text, ['output'], { dials });
  opened = dials;
  await settled();
}

async function settled() {
  await page.locator('.draw').waitFor();
  await page.waitForFunction(
    () =>
      !document.querySelector('.block-flow [data-stale="true"]') &&
      ![...document.querySelectorAll('.pipeline .token')].some((token) => token.textContent === '…'),
  );
}

async function logitsAfter(position: number): Promise<Float32Array> {
  return (await model.trace(text, { logits: [position] })).logits.data;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    const off = Math.abs(actual[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    if (!(off < 1e-3)) expect.fail(`${what} [${i}]: ${actual[i]}, expected ${expected[i]}`);
  }
}

interface Shown {
  stages: { name: string; left: number; others: number; tail: number }[];
  /** prob and logit of each stage; undefined where the token is cut. */
  tokens: { id: number; text: string; cells: ({ prob: number; logit: number } | undefined)[] }[];
}

/** The table as it stands. */
async function table(): Promise<Shown> {
  return page.locator('.pipeline table').evaluate((element) => {
    const data = (selector: string) =>
      [...element.querySelectorAll<HTMLElement>(selector)].map(({ dataset }) => dataset);
    const feet = data('tfoot td');
    const stages = data('thead th[data-stage]').map(({ stage, left }, i) => ({
      name: stage!,
      left: Number(left),
      others: Number(feet[i]!.others),
      tail: Number(feet[i]!.tail),
    }));
    const tokens = [...element.querySelectorAll<HTMLElement>('tbody tr')].map((row) => ({
      id: Number(row.dataset.id),
      text: row.querySelector('.token')!.textContent!,
      cells: [...row.querySelectorAll<HTMLElement>('td')].map(({ dataset }) =>
        dataset.cut ? undefined : { prob: Number(dataset.prob), logit: Number(dataset.logit) },
      ),
    }));
    return { stages, tokens };
  });
}

/** Until the table shows what each stage leaves, by `distribution` with the options up to it. */
async function expectStages(options: Record<string, GenerateOptions>, position = ids.length - 1): Promise<void> {
  const logits = await logitsAfter(position);
  await eventually(async () => {
    const { stages, tokens } = await table();
    expect(stages.map(({ name }) => name)).toEqual(Object.keys(options));
    expect(tokens.length).toBeGreaterThanOrEqual(20);
    for (const [s, [name, upTo]] of Object.entries(options).entries()) {
      const probs = distribution(logits, upTo, { prompt: ids.slice(0, position + 1) });
      const { left, others, tail } = stages[s]!;
      if (['topK', 'topP', 'minP', 'typicalP'].includes(name)) {
        expect(left, name).toBe(probs.filter((p) => p > 0).length);
      } else expect(left, name).toBe(upTo.temperature === 0 ? 1 : probs.length);
      for (const { id, cells } of tokens) {
        if (probs[id] === 0 && left < probs.length) expect(cells[s], `${name}, token ${id}`).toBeUndefined();
        else expect(Math.abs(cells[s]!.prob - probs[id]!), `${name}, token ${id}`).toBeLessThan(1e-3);
      }
      const shown = tokens.filter(({ cells }) => cells[s]);
      expect(others, name).toBe(left - shown.length);
      const expectedTail = 1 - shown.reduce((sum, { id }) => sum + probs[id]!, 0);
      expect(Math.abs(tail - expectedTail), `${name}: tail`).toBeLessThan(1e-3);
    }
  });
}

/** A link in which a head is knocked out, and the edit that it stands for. */
const knockedOut = 'seed=6&temperature=1&top-k=0&touch=head+0+0+0';
const edits = [{ name: 'blocks.0.attn.hook_z', head: 0, scale: 0 }];
/** Dials of which nothing is drawn. */
const greedily = 'temperature=0&top-k=7&max-new-tokens=1';
const dial = (name: string) => page.getByRole('slider', { name });

describe('from numbers to the next token', () => {
  test('the final norm and all logits are the trace’s', async () => {
    await open();
    const traced = await model.trace(text, { capture: ['ln_final.*', 'blocks.5.hook_resid_post'], logits: [-1] });
    for (const name of ['ln_final.hook_normalized', 'blocks.5.hook_resid_post']) {
      const { data } = await drawn(page, `.block-flow canvas[data-tensor="${name}"]`);
      expectClose(data, traced.get(name)!.data.slice(-128), name);
    }
    const { data } = await drawn(page, '.block-flow canvas[data-tensor="logits"]');
    expectClose(data.slice(0, 50257), traced.logits.data, 'logits');
    expect(data.slice(50257).every(Number.isNaN)).toBe(true);
    const top = [...traced.logits.data.keys()].sort((a, b) => traced.logits.data[b]! - traced.logits.data[a]!);
    const { tokens } = await table();
    expect(tokens.slice(0, 20).map(({ id }) => id)).toEqual(top.slice(0, 20));
    expect(tokens.map((token) => token.text)).toEqual(
      tokens.map(({ id }) => model.tokenizer.token(id).replaceAll(' ', '␣').replaceAll('\n', '↵')),
    );
  });

  test('a token’s logit leads to its equation', async () => {
    await open();
    const { tokens } = await table();
    const { id, cells } = tokens[2]!;
    await page.locator(`.pipeline tr[data-id="${id}"] .cell-link`).click();
    const shown = page.locator(`.equation[data-cell="logits[${ids.length - 1}, ${id}]"]`);
    await shown.waitFor();
    expect(Number(await shown.getAttribute('data-value'))).toBeCloseTo(cells[0]!.logit, 3);
    expect(Number(await shown.getAttribute('data-result'))).toBeCloseTo(cells[0]!.logit, 3);
  });

  test('fits the screen', async () => {
    await open();
    await expectToFit(page);
  });

  test('every stage is that of the engine’s distribution', async () => {
    await open('temperature=1.3&top-k=30&top-p=0.95&min-p=0.02&typical-p=0.8&repetition-penalty=1.4&seed=3');
    const penalties = { temperature: 1, repetitionPenalty: 1.4 };
    const temperature = { ...penalties, temperature: 1.3 };
    const topK = { ...temperature, topK: 30 };
    const topP = { ...topK, topP: 0.95 };
    await expectStages({
      logits: { temperature: 1 },
      penalties,
      temperature,
      topK,
      topP,
      minP: { ...topP, minP: 0.02 },
      typicalP: { ...topP, minP: 0.02, typicalP: 0.8 },
    });
    // Tokens of the text have lost, others not.
    const { tokens } = await table();
    for (const { id, cells } of tokens) {
      const [raw, penalised] = [cells[0]!.logit, cells[1]!.logit];
      if (ids.includes(id)) expect(penalised).toBeCloseTo(raw > 0 ? raw / 1.4 : raw * 1.4, 3);
      else expect(penalised).toBe(raw);
    }
  });

  test('a dial that moves redraws at once; the text is left alone', async () => {
    await open('temperature=1&top-k=0&seed=3');
    await expectStages({ logits: { temperature: 1 }, temperature: { temperature: 1 } });
    await dial('Top-k').focus();
    for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
    await expectStages({
      logits: { temperature: 1 },
      temperature: { temperature: 1 },
      topK: { temperature: 1, topK: 5 },
    });
    await dial('Temperature').focus();
    await page.keyboard.press('End');
    await expectStages({
      logits: { temperature: 1 },
      temperature: { temperature: 2 },
      topK: { temperature: 2, topK: 5 },
    });
    expect(await page.locator('textarea').inputValue()).toBe(text);
  });

  test('at temperature 0 it says that nothing is drawn', async () => {
    await open(greedily);
    await expectStages({ logits: { temperature: 1 }, temperature: { temperature: 0 } });
    const logits = await logitsAfter(ids.length - 1);
    const greedy = logits.indexOf(Math.max(...logits));
    expect(await page.locator('.draw').getAttribute('data-id')).toBe(String(greedy));
    expect(await page.locator('.draw').innerText()).toContain('Temperature 0 draws nothing');
    expect(await page.locator('.number-line').count()).toBe(0);
  });

  test.each([
    [greedily],
    ['seed=2&temperature=1.7&top-k=0&max-new-tokens=1'],
    ['seed=3&temperature=2&top-k=100&repetition-penalty=1.3&max-new-tokens=1'],
    ['seed=4&temperature=1.5&top-k=50&top-p=0.8&min-p=0.01&max-new-tokens=1'],
  ])('the token drawn with %s is what Complete writes', async (dials) => {
    await open(dials);
    const id = Number(await page.locator('.draw').getAttribute('data-id'));
    const segment = page.locator('.segment[data-drawn="true"]');
    if (dials !== greedily) {
      const { from, to } = await segment.evaluate((element) => ({ ...(element as HTMLElement).dataset }));
      const u = Number(await page.locator('.draw').getAttribute('data-u'));
      expect(u).toBeGreaterThanOrEqual(Number(from));
      expect(u).toBeLessThan(Number(to));
    }
    await page.getByRole('button', { name: /^Complete/ }).click();
    await expect.poll(() => page.locator('textarea').inputValue()).toBe(text + model.tokenizer.token(id));
  });

  test('the line is the last stage’s distribution in the order of ids', async () => {
    await open('seed=9&temperature=1.5&top-k=25');
    const probs = distribution(await logitsAfter(ids.length - 1), { temperature: 1.5, topK: 25 });
    const segments = await page.locator('.segment').evaluateAll((all) =>
      all.map((one) => {
        const { id, from, to } = (one as HTMLElement).dataset;
        const { width } = one.getBoundingClientRect();
        const share = width / one.parentElement!.getBoundingClientRect().width;
        return { id: id === undefined ? undefined : Number(id), from: Number(from), to: Number(to), share };
      }),
    );
    for (const { from, to, share } of segments) expect(Math.abs(share - (to - from))).toBeLessThan(0.004);
    expect(segments[0]!.from).toBe(0);
    expect(segments.at(-1)!.to).toBeCloseTo(1, 6);
    const cumulative = (id: number) => probs.slice(0, id).reduce((a, b) => a + b, 0);
    for (const { id, from, to } of segments) {
      if (id === undefined) continue;
      expect(from).toBeCloseTo(cumulative(id), 3);
      expect(to - from).toBeCloseTo(probs[id]!, 3);
    }
    const named = segments.flatMap(({ id }) => id ?? []);
    expect(named).toEqual([...named].sort((a, b) => a - b));
  });

  test('within the text: the stages there, and how likely the token was that follows', async () => {
    await open('seed=5&temperature=1&top-k=0');
    await page.locator('.ribbon button').nth(3).click();
    await page.locator('.goes-on').waitFor();
    await settled();
    await expectStages({ logits: { temperature: 1 }, temperature: { temperature: 1 } }, 3);
    const logits = await logitsAfter(3);
    const { id, rank, share } = await page
      .locator('.goes-on')
      .evaluate((element) => ({ ...(element as HTMLElement).dataset }));
    expect(Number(id)).toBe(ids[4]);
    expect(Number(rank)).toBe(1 + logits.filter((logit) => logit > logits[ids[4]!]!).length);
    expect(Number(share)).toBeCloseTo(distribution(logits, { temperature: 1 })[ids[4]!]!, 3);
  });

  test('beside a run the visitor changed stands what sampling would be without the changes', async () => {
    await open(knockedOut);
    await page.locator('[data-stage="untouched"]').waitFor();
    await settled();
    const changed = distribution((await model.trace(text, { edits, logits: [-1] })).logits.data, { temperature: 1 });
    const before = distribution(await logitsAfter(ids.length - 1), { temperature: 1 });
    const { stages, tokens } = await table();
    expect(stages.map(({ name }) => name)).toEqual(['logits', 'temperature', 'untouched']);
    for (const { id, cells } of tokens) {
      expect(cells[1]!.prob).toBeCloseTo(changed[id]!, 3);
      expect(cells[2]!.prob).toBeCloseTo(before[id]!, 3);
    }
    expect(tokens.some(({ id }) => Math.abs(changed[id]! - before[id]!) > 1e-2)).toBe(true);
  });

  test('what moved a word is the engine’s gradient by each token, with the changes in it', async () => {
    const short = 'Once upon a'; // the reference takes its time for the sixteen gradients of a longer one
    const read = model.tokenizer.encode(short);
    opened = short;
    await visitInside(page, short, ['moved'], { dials: knockedOut });
    const moves = page.locator('.moved[data-stale="false"] .moves[data-way="gradient"]');
    await moves.waitFor();
    await expect.poll(() => page.getByRole('radio', { name: 'integrated gradients' }).isDisabled()).toBe(true);
    const shown = () =>
      moves.evaluate((list) => ({
        logit: Number((list as HTMLElement).dataset.logit),
        id: Number(document.querySelector<HTMLElement>('.moved :checked + span')!.dataset.id),
        values: [...list.children].map((one) => Number((one as HTMLElement).dataset.value)),
      }));
    const expected = async (id: number) => {
      const loss = { logit: id, position: read.length - 1 };
      const found = await gradients(model, read, { loss, wrt: ['hook_embed'], edits });
      const input = (await model.trace(read, { capture: ['hook_embed'], edits })).get('hook_embed')!.data;
      const products = found.get('hook_embed').data.map((value, i) => value * input[i]!);
      const width = products.length / read.length;
      return {
        logit: found.loss,
        values: read.map((_, row) => products.subarray(row * width, (row + 1) * width).reduce((a, b) => a + b, 0)),
      };
    };
    const touched = await shown();
    const own = await expected(touched.id);
    expectClose([touched.logit, ...touched.values], [own.logit, ...own.values], 'touched');
    await page.getByRole('button', { name: /^Undo:/ }).click();
    await page.getByRole('radio', { name: 'integrated gradients' }).check();
    const integrated = page.locator('.moved[data-stale="false"] .moves[data-way="integrated"]');
    await integrated.waitFor();
    const { id, values } = await integrated.evaluate((list) => ({
      id: Number(document.querySelector<HTMLElement>('.moved :checked + span')!.dataset.id),
      values: [...list.children].map((one) => Number((one as HTMLElement).dataset.value)),
    }));
    const loss = { logit: id, position: read.length - 1 };
    const { data } = await integratedGradients(model, read, { loss, steps: 16 });
    expectClose(values, data, 'integrated');
  });
});
