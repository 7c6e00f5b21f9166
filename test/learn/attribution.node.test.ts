import { describe, expect, it } from 'vitest';
import { load, logitDifference, type Model, patchingSweep } from '../../src/index.ts';
import { attributionPatching, gradients, integratedGradients } from '../../src/learn/index.ts';
import { expectClose } from '../close.ts';
import { fixtureAdapter } from './adapter-fixtures.ts';
import { openLearner } from './models.ts';

const tales = new URL('../../public/models/tiny-tales/', import.meta.url);

/** Pearson's. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (list: readonly number[]) => list.reduce((x, y) => x + y, 0) / list.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  const product = (x: readonly number[], mx: number, y: readonly number[], my: number) =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  return product(a, meanA, b, meanB) / Math.sqrt(product(a, meanA, a, meanA) * product(b, meanB, b, meanB));
}

describe('attributionPatching', () => {
  it('tells the cells that patchingSweep finds, by two runs and a gradient', async () => {
    const model = await load(tales, { device: 'cpu' });
    const fast = await load(tales, { device: 'wasm' });
    const [clean, corrupted] = ['Tom sat. Tom', 'Tim sat. Tim'].map((text) => model.tokenizer.encode(text)) as [
      number[],
      number[],
    ];
    expect(clean.length).toBe(corrupted.length);
    const best = (logits: { data: Float32Array; shape: number[] }) => {
      const last = logits.data.subarray(-logits.shape[1]!);
      return last.indexOf(Math.max(...last));
    };
    const [right, wrong] = [best((await model.trace(clean)).logits), best((await model.trace(corrupted)).logits)];
    const [id, minus] = right === wrong ? [clean.at(-1)!, corrupted.at(-1)!] : [right, wrong];
    const metric = logitDifference(id, minus);
    const base = metric((await model.trace(corrupted)).logits);
    const swept = (await patchingSweep(fast, clean, corrupted, metric)).map((row) => row.map((value) => value - base));
    const found = await attributionPatching(model, clean, corrupted, { loss: { logit: id, minus } });
    const told = [...found.values()].map(({ data }) => [...data]);
    expect(told.map((row) => row.length)).toEqual(swept.map((row) => row.length));
    expect(correlation(swept.flat(), told.flat())).toBeGreaterThan(0.9);
    model.dispose();
    fast.dispose();
  });

  it('is the product of gradient and difference, summed by position, of heads too', async () => {
    const model = await openLearner('tiny-gpt2');
    const [clean, corrupted] = [
      [5, 6, 7, 8],
      [5, 9, 7, 8],
    ];
    const loss = { logit: 3 };
    const names = ['blocks.1.hook_resid_pre', 'blocks.1.attn.hook_pattern'];
    const found = await attributionPatching(model, clean, corrupted, { loss, names });
    const grad = await gradients(model, corrupted, { loss, wrt: names });
    const trace = (ids: number[]) => (model as Awaited<ReturnType<typeof load>>).trace(ids, { capture: names });
    const [a, b] = [await trace(clean), await trace(corrupted)];
    for (const name of names) {
      const of = grad.get(name);
      const expected = new Float64Array(4);
      const inner = name.endsWith('pattern') ? 4 : 96;
      for (const [i, value] of of.data.entries()) {
        expected[Math.floor(i / inner) % 4]! += value * (a.get(name)!.data[i]! - b.get(name)!.data[i]!);
      }
      expectClose(found.get(name)!.data, expected, { relative: 1e-5 }, name);
    }
    await expect(attributionPatching(model, [1, 2], [1, 2, 3], { loss })).rejects.toMatchObject({ code: 'bad-option' });
    model.dispose();
  });
});

describe('integratedGradients', () => {
  it('adds up to what the loss moves from the baseline', async () => {
    const model = await openLearner('bert-seqcls');
    const input = { ids: [134, 42, 201, 230] };
    const loss = { logit: 1 };
    const found = await integratedGradients(model, input, { loss, steps: 64, baseline: 7 });
    expect(found.shape).toEqual([4]);
    const logit = async (ids: number[]) => (await gradients(model, { ids }, { loss, wrt: ['hidden'] })).loss;
    const moved = (await logit(input.ids)) - (await logit([7, 7, 7, 7]));
    expect(Math.abs(found.data.reduce((a, b) => a + b, 0) - moved)).toBeLessThan(0.03 * Math.abs(moved) + 1e-3);
    model.dispose();
  });

  it.each(['words', 'tied-words'] as const)('begins at a token as the adapter %s has it', async (name) => {
    const model = (await openLearner('tiny-gpt2', 'wasm')) as Model;
    await model.setAdapter(await fixtureAdapter('tiny-gpt2', name));
    const loss = { logit: 3 };
    const logit = async (ids: number[]) => (await gradients(model, ids, { loss, wrt: ['hook_embed'] })).loss;
    const [found, moved] = [
      await integratedGradients(model, [5, 6, 7], { loss, steps: 48, baseline: 9 }),
      (await logit([5, 6, 7])) - (await logit([9, 9, 9])),
    ];
    expect(Math.abs(found.data.reduce((a, b) => a + b, 0) - moved)).toBeLessThan(0.03 * Math.abs(moved) + 1e-2);
    model.dispose();
  });
});

it('what takes several runs keeps the adapter that it began with', async () => {
  const model = (await openLearner('tiny-gpt2', 'wasm')) as Model;
  const [one, other] = [await fixtureAdapter('tiny-gpt2', 'end'), await fixtureAdapter('tiny-gpt2', 'all-linear')];
  const loss = { logit: 3 };
  const ids = [5, 6, 7];
  const asked: (() => Promise<unknown>)[] = [
    () => gradients(model, ids, { loss, wrt: ['hook_embed'] }),
    () => integratedGradients(model, ids, { loss, steps: 3 }),
    () => attributionPatching(model, ids, [5, 9, 7], { loss }),
  ];
  await model.setAdapter(other);
  await model.setAdapter(one); // both are at hand
  for (const ask of asked) {
    const alone = await ask();
    const begun = ask();
    await model.setAdapter(other);
    expect(await begun).toEqual(alone);
    await model.setAdapter(one);
  }
  model.dispose();
});
