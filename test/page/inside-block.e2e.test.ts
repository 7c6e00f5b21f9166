import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Model, Trace } from '../../src/index.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { DrawnPoints } from '../../src/page/inside/stations/block/curve.tsx';
import type { Stage } from '../../src/page/inside/stations/block/scores.ts';
import { openSite, type Site } from '../site.ts';
import { drawn, expectToFit, openInside, sharedEmbedded, visitInside } from './inside.ts';

const text = 'Once upon a time there was a little girl';
const [nHead, nEmbd, headDim] = [4, 128, 32];
/** What the tests look at. */
const [layer, head, position] = [2, 3, 5];
const hook = `blocks.${layer}`;

let site: Site;
let page: Page;
let model: Model;
let traced: Trace;
let complaints: string[] = [];
let opened = '';
beforeAll(async () => {
  [site, model] = await Promise.all([openSite(), sharedEmbedded()]);
  traced = await model.trace(text, { capture: [`${hook}.*`, `blocks.${layer - 1}.hook_resid_post`] });
  ({ page, complaints } = await openInside(site, text, ['block'], { block: layer, head, token: position }));
  opened = 'looking';
});
afterAll(() => site.close());
afterEach(() => expect(complaints).toEqual([]));

/** Looks at the token, block and head, and waits for their numbers; tests that leave them as they are share a state. */
async function look() {
  if (opened !== 'looking') await visitInside(page, text, ['block'], { block: layer, head, token: position });
  opened = 'looking';
  await page.locator(`.block-flow[data-layer="${layer}"][data-head="${head}"][data-position="${position}"]`).waitFor();
  await settled();
}

/** Until the picture of attention is of this stage. */
const stageShown = (stage: Stage) =>
  page.locator(`.fading[data-stage="${stage}"] .matrix[data-stale="false"]`).waitFor();

const settled = () => page.waitForFunction(() => !document.querySelector('.block-flow [data-stale="true"]'));

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] === expected[i]) continue; // infinities
    const off = Math.abs(actual[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    expect(off, `${what} [${i}]: ${actual[i]}, expected ${expected[i]}`).toBeLessThan(1e-3);
  }
}

/** The token's row of a traced tensor. */
function row(name: string): Float32Array {
  const { data, shape } = traced.get(name)!;
  const width = data.length / shape[0]!;
  return data.subarray(position * width, (position + 1) * width);
}

/** The head's part of [tokens, nHead, headDim]. */
function headRows(name: string): number[] {
  const { data, shape } = traced.get(name)!;
  return Array.from({ length: shape[0]! }, (_, t) => [
    ...data.subarray((t * nHead + head) * headDim, (t * nHead + head + 1) * headDim),
  ]).flat();
}

const tensor = (name: string) => `.block-flow canvas[data-tensor="${name}"]`;

async function valueAt(selector: string): Promise<number> {
  return Number(await page.locator(selector).first().getAttribute('data-value'));
}

describe('one block, opened', () => {
  test('strips are the token’s rows of the residual stream, its norms and what is added', async () => {
    await look();
    const names = ['ln1.hook_normalized', 'hook_attn_out', 'hook_resid_mid', 'ln2.hook_normalized', 'mlp.hook_pre'];
    for (const name of [...names, 'hook_mlp_out', 'hook_resid_post'].map((end) => `${hook}.${end}`)) {
      const { data } = await drawn(page, tensor(name));
      expectClose(data, row(name), name);
    }
    // The stream's second name.
    const { data } = await drawn(page, tensor(`${hook}.hook_resid_pre`));
    expectClose(data, row(`blocks.${layer - 1}.hook_resid_post`), 'hook_resid_pre');
  });

  test('moments are those of the row before the norm', async () => {
    await look();
    const parts = page.locator('.part').filter({ has: page.locator('.moments') });
    for (const [i, [input, norm]] of [
      [`blocks.${layer - 1}.hook_resid_post`, `${hook}.ln1`],
      [`${hook}.hook_resid_mid`, `${hook}.ln2`],
    ].entries()) {
      const x = row(input!);
      const mean = x.reduce((sum, value) => sum + value, 0) / nEmbd;
      const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / nEmbd;
      const shown = await parts
        .nth(i)
        .locator('[data-value]')
        .evaluateAll((all) => all.map((one) => Number((one as HTMLElement).dataset.value)));
      expectClose(shown, [mean, variance, row(`${norm}.hook_scale`)[0]!], norm!);
    }
  });

  test('queries, keys, values and the head’s output have a row for each token', async () => {
    await look();
    for (const name of ['hook_q', 'hook_k', 'hook_v', 'hook_z'].map((end) => `${hook}.attn.${end}`)) {
      const { data, columns } = await drawn(page, tensor(name));
      expect(columns).toBe(headDim);
      expectClose(data, headRows(name), name);
    }
  });

  test('attention goes from q · k to shares, stage by stage', async () => {
    await look();
    const tokens = traced.tokens.length;
    const q = headRows(`${hook}.attn.hook_q`);
    const k = headRows(`${hook}.attn.hook_k`);
    const products = Array.from({ length: tokens * tokens }, (_, i) => {
      const [a, b] = [Math.floor(i / tokens) * headDim, (i % tokens) * headDim];
      return Array.from({ length: headDim }, (_, d) => q[a + d]! * k[b + d]!).reduce((x, y) => x + y);
    });
    const scaled = products.map((product) => product / Math.sqrt(headDim));
    const masked = scaled.map((score, i) => (i % tokens > Math.floor(i / tokens) ? Number.NEGATIVE_INFINITY : score));
    const size = tokens * tokens;
    const pattern = traced.get(`${hook}.attn.hook_pattern`)!.data.subarray(head * size, (head + 1) * size);
    const scores = traced.get(`${hook}.attn.hook_attn_scores`)!.data.subarray(head * size, (head + 1) * size);
    expectClose(masked, scores, 'the trace’s own scores');

    const scrubber = page.getByRole('slider', { name: 'Stage' });
    const rowSum = () => valueAt('.row-sum');
    const sumOf = (values: ArrayLike<number>) =>
      Array.from(values)
        .slice(position * tokens, (position + 1) * tokens)
        .filter(Number.isFinite)
        .reduce((a, b) => a + b);
    await scrubber.focus();
    for (const [key, stage, name, expected] of [
      ['Home', 'raw', 'hook_attn_scores', products],
      ['ArrowRight', 'scaled', 'hook_attn_scores', scaled],
      ['ArrowRight', 'masked', 'hook_attn_scores', masked],
      ['ArrowRight', 'pattern', 'hook_pattern', pattern],
    ] as const) {
      await page.keyboard.press(key);
      await stageShown(stage);
      const { data } = await drawn(page, `.fading canvas[data-tensor="${hook}.attn.${name}"]`);
      expectClose(data, expected, stage);
      expectClose([await rowSum()], [sumOf(expected)], `sum at ${stage}`);
    }
    await expect.poll(() => page.locator('.row-sum').innerText()).toContain('1.000');
    const bars = await page.locator('.query-row [data-key]').evaluateAll((all) =>
      all.map((one) => {
        const value = Number(one.querySelector<HTMLElement>('[data-value]')!.dataset.value);
        return [Number((one as HTMLElement).dataset.key), value] as const;
      }),
    );
    expect(bars.length).toBe(position + 1);
    for (const [key, value] of bars) expect(value).toBeCloseTo(pattern[position * tokens + key]!, 3);
    expect(bars.map(([, value]) => value)).toEqual(bars.map(([, value]) => value).sort((a, b) => b - a));
  });

  test('stages fade into one another, but not where motion is reduced', async () => {
    await look();
    // Asked in the same task: it fades for half a second, and a busy machine would ask too late.
    const fading = (stage: string) =>
      page.evaluate((stage) => {
        const stops = [...document.querySelectorAll<HTMLElement>('.stops button')];
        stops.find(({ textContent }) => textContent === stage)!.click();
        return document.querySelector('.former')!.getAnimations().length;
      }, stage);
    expect(await fading('masked')).toBe(1);
    await stageShown('masked');
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await fading('scaled')).toBe(0);
    await stageShown('scaled');
    await page.emulateMedia({ reducedMotion: null });
  });

  test('a head’s own part of the projection is its output times its columns of the weight', async () => {
    await look();
    const weight = await model.weight(`h.${layer}.attn.c_proj.weight`);
    const z = row(`${hook}.attn.hook_z`);
    const expected = Array.from({ length: nEmbd }, (_, j) => {
      let sum = 0;
      for (let d = head * headDim; d < (head + 1) * headDim; d++) sum += weight.data[j * nEmbd + d]! * z[d]!;
      return sum;
    });
    const { data } = await drawn(page, tensor(`${hook}.hook_attn_out of head ${head}`));
    expectClose(data, expected, 'contribution');
  });

  test('the token’s neurons lie on the activation’s curve; the most active are named', async () => {
    await look();
    const points = await page.locator('.plot canvas').evaluate((element) => {
      const { x, y } = (element as HTMLCanvasElement & { drawn: DrawnPoints }).drawn;
      return { x: Array.from(x), y: Array.from(y) };
    });
    expect(points.x.length).toBe(4 * nEmbd);
    expectClose(points.x, row(`${hook}.mlp.hook_pre`), 'in');
    expectClose(points.y, row(`${hook}.mlp.hook_post`), 'out');
    // gelu_new, Hendrycks & Gimpel 2016
    const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    expectClose(points.y, points.x.map(gelu), 'gelu');

    const post = row(`${hook}.mlp.hook_post`);
    const most = [...post.keys()].sort((a, b) => post[b]! - post[a]!).slice(0, 10);
    const rows = await page.locator('.neurons-table [data-neuron]').evaluateAll((all) =>
      all.map((one) => ({
        neuron: Number((one as HTMLElement).dataset.neuron),
        values: [...one.querySelectorAll<HTMLElement>('[data-value]')].map(({ dataset }) => Number(dataset.value)),
      })),
    );
    expect(rows.length).toBe(10);
    for (const [i, { neuron, values }] of rows.entries()) {
      expect(post[neuron]).toBeCloseTo(post[most[i]!]!, 3);
      expectClose(values, [row(`${hook}.mlp.hook_pre`)[neuron]!, post[neuron]!], `neuron ${neuron}`);
    }
  });

  test('by keyboard: the curve is read neuron by neuron, Enter shows where one comes from', async () => {
    await look();
    const post = row(`${hook}.mlp.hook_post`);
    const pre = row(`${hook}.mlp.hook_pre`);
    const order = [...pre.keys()].sort((a, b) => pre[b]! - pre[a]!);
    await page.locator('.plot').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => page.locator('.plot .reading').innerText()).toContain(`Neuron ${order[1]}`);
    await page.keyboard.press('Enter');
    const cell = `${hook}.mlp.hook_post[${position}, ${order[1]}]`;
    const shown = page.locator(`.equation[data-cell="${cell}"]`);
    await shown.waitFor();
    expect(Number(await shown.getAttribute('data-value'))).toBeCloseTo(post[order[1]!]!, 3);
  });

  test('every part names its tensors, and every one of them is a tensor of the model', async () => {
    await look();
    const hooks = await page.locator('.block-flow .part code').allInnerTexts();
    const known = new Set(model.tensors().map(({ name }) => name));
    expect(hooks.filter((name) => !known.has(name))).toEqual([]);
    // Those of its plan: the names that TransformerLens 4 has for the same tensors are not shown beside them.
    const { tensors, aliases } = gpt2Plan(model.config);
    const ofBlock = [...tensors.keys(), ...aliases.keys()].filter((name) => name.startsWith(`${hook}.`));
    expect(ofBlock.filter((name) => !hooks.includes(name))).toEqual([]);
  });

  test('fits the screen', async () => {
    await look();
    await expectToFit(page);
  });

  test('what the visitor changes is drawn, beside what the row was', async () => {
    opened = 'changed';
    const place = { block: layer, head, token: position };
    await visitInside(page, text, ['block'], { ...place, dials: `touch=head+0+${head}+0` });
    await page.locator('.query-row [data-before]').first().waitFor();
    await settled();
    const edits = [{ name: 'blocks.0.attn.hook_z', head, scale: 0 }];
    const changed = await model.trace(text, { capture: [`${hook}.attn.hook_pattern`], edits });
    const tokens = traced.tokens.length;
    const at = (of: Trace) => of.get(`${hook}.attn.hook_pattern`)!.data.subarray((head * tokens + position) * tokens);
    const bars = await page.locator('.query-row [data-key]').evaluateAll((all) =>
      all.map((one) => {
        const value = Number(one.querySelector<HTMLElement>('[data-value]')!.dataset.value);
        const before = Number(one.querySelector<HTMLElement>('[data-before]')!.dataset.before);
        return { key: Number((one as HTMLElement).dataset.key), value, before };
      }),
    );
    for (const { key, value, before } of bars) {
      expect(value).toBeCloseTo(at(changed)[key]!, 3);
      expect(before).toBeCloseTo(at(traced)[key]!, 3);
    }
    expect(bars.some(({ value, before }) => Math.abs(value - before) > 1e-3)).toBe(true);
  });

  test('a full context is drawn; the longest task is printed, not judged', async () => {
    opened = 'full';
    await visitInside(page, 'The cat sat on the mat, and the dog ran to the red house by the sea. '.repeat(20), [
      'block',
    ]);
    await page.locator('.block-flow .query-row').waitFor();
    const tokens = await page.locator('.bar .ribbon button').count();
    expect(tokens).toBe(model.config.nCtx);
    await page.evaluate(() => {
      const tasks: number[] = [];
      Object.assign(window, { tasks });
      new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
        type: 'longtask',
      });
    });
    await page.getByRole('button', { name: 'Next block' }).click();
    await page.getByRole('button', { name: 'Next head' }).click();
    for (const stage of ['q · k', 'scaled', 'masked', 'softmax']) {
      await page.getByRole('button', { name: stage, exact: true }).click();
    }
    await page.locator('.bar .ribbon button').nth(100).click();
    await page.locator('.block-flow[data-layer="1"][data-head="1"][data-position="100"]').waitFor();
    await settled();
    const { data, rows } = await drawn(page, tensor('blocks.1.attn.hook_pattern'));
    expect(rows).toBe(tokens);
    for (let query = 0; query < tokens; query++) {
      const sum = data.slice(query * tokens, (query + 1) * tokens).reduce((a, b) => a + b);
      expect(sum).toBeCloseTo(1, 4);
    }
    const tasks = await page.evaluate(() => (window as unknown as { tasks: number[] }).tasks);
    console.log(`longest task with ${tokens} tokens: ${Math.round(Math.max(0, ...tasks))} ms (0: none over 50)`);
  });
});
