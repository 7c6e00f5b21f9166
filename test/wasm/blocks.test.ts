import { describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import type { Backend, Row, WeightFormat } from '../../src/plan/backend.ts';
import type { KeySource } from '../../src/plan/plan.ts';
import { isFull, openedOnce } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from '../ops/mini-plan.ts';
import { variantsOf } from './variants.ts';

const formats: WeightFormat[] = ['f32', 'bf16', 'f16', 'q8', 'q4'];
const reference = createCpuBackend();

/** Rows of texts one behind the other; `sees` gives the first key and the number of keys of a row of a text. */
function texts(lengths: readonly number[], sees: (i: number, length: number) => [first: number, count: number]): Row[] {
  return lengths.flatMap((length, text) => {
    const before = lengths.slice(0, text).reduce((a, b) => a + b, 0);
    return Array.from({ length }, (_, i) => {
      const [first, count] = sees(i, length);
      return { token: before + i, position: i, slot: 0, at: before + i, first: before + first, sees: count };
    });
  });
}

const all = (_: number, length: number): [number, number] => [0, length];
const awkward = [1, 2, 3, 7, 8, 9, 47, 48, 49, 100];

const ranges: Record<string, Row[]> = {
  'texts that are seen whole': texts(awkward, all),
  'texts that see what came before': texts(awkward, (i) => [0, i + 1]),
  'a window of five': texts([60], (i) => [Math.max(0, i - 4), Math.min(5, i + 1)]),
  'a window of 70': texts([90, 20], (i) => [Math.max(0, i - 69), Math.min(70, i + 1)]),
  'windows to both sides': texts([75], (i, n) => [Math.max(0, i - 9), Math.min(n, i + 10) - Math.max(0, i - 9)]),
  'ranges without order': texts([64], (i, n) => [(i * 29) % n, 1 + ((i * 13) % (n - ((i * 29) % n)))]),
  'ranges that grow by many': texts([60], (i, n) => [0, Math.min(n, 1 + 7 * i)]),
};

interface Heads {
  heads: readonly [queries: number, keys: number];
  headDim: number;
  axis?: KeySource['axis'];
  farthest?: number;
}

/** The rows' mix, scores and pattern not kept. */
async function mixOf(
  backend: Backend,
  rows: Row[],
  { heads, headDim, axis = 'rows', farthest }: Heads,
  v?: Float32Array,
) {
  const plan = new MiniPlan(rows.length);
  const [nHead, keyHeads] = heads;
  const source = plan.source('keys', { nHead: keyHeads, headDim, axis });
  const values = (n: number, seed: number) => randomValues(rows.length * n * headDim, seed, 2);
  const q = plan.input('q', values(nHead, 1), nHead, headDim);
  plan.step({
    op: 'cacheAppend',
    k: plan.input('k', values(keyHeads, 2), keyHeads, headDim),
    v: plan.input('v', v ?? values(keyHeads, 3), keyHeads, headDim),
    source,
  });
  const columns = 2 * (farthest ?? 0) + 1;
  const table = randomValues(nHead * columns, 4, 3);
  const bias = farthest === undefined ? {} : { bias: plan.matrix('bias', nHead, columns, table, 'f32') };
  const scores = plan.tensor('scores', nHead, 'rows', 'context');
  const pattern = plan.tensor('pattern', nHead, 'rows', 'context');
  plan.step({ op: 'attentionScores', q, source, scale: 0.3, output: scores, ...bias });
  plan.step({ op: 'maskedSoftmax', input: scores, source, output: pattern });
  plan.step({ op: 'attentionMix', pattern, source, output: plan.tensor('z', 'rows', nHead, headDim) });
  return (await plan.run(backend, ['z'], { rows })).captured.get('z')!;
}

/** A layer of three outputs, its keys and values behind them, and one that is activated, gated and added to. */
async function layersOf(backend: Backend, rows: number, nIn: number, headDim: number, format: WeightFormat) {
  const plan = new MiniPlan(rows);
  const x = plan.input('x', randomValues(rows * nIn, 1), nIn);
  const source = plan.source('keys', { nHead: 3, headDim, axis: 'rows' });
  const widths = [2 * headDim, 13, 3 * headDim, 3 * headDim];
  const nOut = widths.reduce((a, b) => a + b, 0);
  const weight = plan.matrix('weight', nOut, nIn, randomValues(nOut * nIn, 2, 0.2), format);
  plan.tensor('q', 'rows', 2, headDim);
  plan.tensor('other', 'rows', 13);
  for (const name of ['k', 'v']) plan.tensor(name, 'rows', 3, headDim);
  plan.step({
    op: 'linear',
    input: x,
    weight,
    bias: plan.vector('bias', randomValues(nOut, 3)),
    outputs: ['q', 'other', 'k', 'v'],
  });
  plan.step({ op: 'cacheAppend', k: 'k', v: 'v', source });
  const q = plan.input('queries', randomValues(rows * 3 * headDim, 5), 3, headDim);
  const scores = plan.tensor('scores', 3, 'rows', 'context');
  const pattern = plan.tensor('pattern', 3, 'rows', 'context');
  plan.step({ op: 'attentionScores', q, source, scale: 1, output: scores });
  plan.step({ op: 'maskedSoftmax', input: scores, source, output: pattern });
  plan.step({ op: 'attentionMix', pattern, source, output: plan.tensor('z', 'rows', 3, headDim) });
  const gate = plan.input('gate', randomValues(rows * 21, 6), 21);
  const residual = plan.input('residual', randomValues(rows * 21, 7), 21);
  const up = plan.matrix('up', 21, nIn, randomValues(21 * nIn, 8, 0.2), format);
  for (const name of ['product', 'active', 'gated', 'sum']) plan.tensor(name, 'rows', 21);
  plan.step({ op: 'linear', input: x, weight: up, outputs: ['product'] });
  plan.step({ op: 'activation', kind: 'gelu', input: 'product', output: 'active' });
  plan.step({ op: 'binary', kind: 'multiply', a: 'active', b: gate, output: 'gated' });
  plan.step({ op: 'binary', kind: 'add', a: 'gated', b: residual, output: 'sum' });
  return (await plan.run(backend, ['q', 'other', 'z', 'sum'])).captured;
}

describe.each(variantsOf(isFull).filter(({ options }) => options.threads !== 2))('WebAssembly, $name', (variant) => {
  const backend = openedOnce(variant);

  describe.each(Object.entries(ranges))('attention over %s', (_, rows) => {
    test.each<Heads>([
      { heads: [2, 2], headDim: 32 },
      { heads: [4, 2], headDim: 7 },
      { heads: [2, 1], headDim: 10, farthest: 6 },
      { heads: [1, 1], headDim: 66, axis: 'context', farthest: 200 },
    ])('$heads heads of $headDim', async (heads) => {
      const expected = await mixOf(reference, rows, heads);
      expectClose(await mixOf(await backend.open(), rows, heads), expected, { absolute: 2e-5 }, 'z');
    });
  });

  test.each([
    ['no number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
  ])('a value that is %s reaches the rows that see it, and no others', async (_, value) => {
    const rows = texts([30, 20], (i) => [0, i + 1]);
    const heads: Heads = { heads: [2, 2], headDim: 12 };
    const v = randomValues(50 * 24, 9);
    v.fill(value, 13 * 24, 13 * 24 + 12);
    const expected = await mixOf(reference, rows, heads, v);
    const found = await mixOf(await backend.open(), rows, heads, v);
    const isReached = (at: number) => at % 24 < 12 && at >= 13 * 24 && at < 30 * 24;
    expect([...found].map(Number.isFinite)).toEqual(Array.from({ length: 50 * 24 }, (_, at) => !isReached(at)));
    const finite = (x: Float32Array) => x.map((one, at) => (isReached(at) ? 0 : one));
    expectClose(finite(found), finite(expected), { absolute: 1e-5 }, 'z');
  });

  const digitCases = [1, 2, 3, 5, 6, 8, 13].flatMap((rows) =>
    (['q8', 'q4'] as const).map((format) => ({ rows, format })),
  );
  test.each(digitCases)('$rows rows of digits times $format are exact', async ({ rows, format }) => {
    const [nIn, nOut] = [160, 21];
    const whole = (count: number, seed: number, most: number) =>
      randomValues(count * nIn, seed, most).map((value, i) => (i % 32 ? Math.trunc(value) : most));
    // The largest of each block makes its scale 1, so that digits and weights are the numbers themselves.
    const largest = variant.options.i8Products && rows > 5 ? 8191 : 32767;
    const x = whole(rows, 1, largest);
    const w = format === 'q8' ? whole(nOut, 2, 127) : whole(nOut, 2, 7).map((value, i) => (i % 32 ? value : -8));
    const plan = new MiniPlan(rows);
    plan.step({
      op: 'linear',
      input: plan.input('x', x, nIn),
      weight: plan.matrix('weight', nOut, nIn, w, format),
      outputs: [plan.tensor('y', 'rows', nOut)],
    });
    const y = (await plan.run(await backend.open(), ['y'])).captured.get('y')!;
    const product = (r: number, c: number) => {
      // The sums of a block are exact; those of blocks are rounded to float32.
      let sum = 0;
      for (let b = 0; b < nIn; b += 32) {
        let block = 0;
        for (let k = b; k < b + 32; k++) block += x[r * nIn + k]! * w[c * nIn + k]!;
        sum = Math.fround(sum + Math.fround(block));
      }
      return sum;
    };
    expect(y).toEqual(Float32Array.from({ length: rows * nOut }, (_, i) => product(Math.floor(i / nOut), i % nOut)));
  });

  test.each(formats)('rows of a table in %s, wherever they lie in its panels', async (format) => {
    const embed = async (on: Backend) => {
      const plan = new MiniPlan(19);
      const weight = plan.matrix('words', 19, 100, randomValues(1900, 1), format);
      plan.step({ op: 'embed', tables: [{ weight, by: 'token' }], output: plan.tensor('x', 'rows', 100) });
      const rows = Array.from({ length: 19 }, (_, i) => ({ token: 18 - i, position: i, slot: 0 }));
      return (await plan.run(on, ['x'], { rows })).captured.get('x')!;
    };
    expectClose(await embed(await backend.open()), await embed(reference), { absolute: 0 }, 'x');
  });

  test.each(formats)('the gradient of what a layer of %s multiplies', async (format) => {
    const gradient = async (on: Backend) => {
      const plan = new MiniPlan(7);
      const weight = plan.matrix('weight', 19, 200, randomValues(3800, 1), format);
      const grad = plan.input('grad', randomValues(7 * 19, 2), 19);
      const output = plan.tensor('x', 'rows', 200);
      plan.step({ op: 'adjoint', of: 'linear', reads: { grads: [grad] }, weight, output });
      return (await plan.run(on, ['x'])).captured.get('x')!;
    };
    expectClose(await gradient(await backend.open()), await gradient(reference), { absolute: 1e-5 }, 'x');
  });

  describe.each(formats)('layers of %s', (format) => {
    test.each([
      [5, 40, 8],
      [6, 33, 12],
      [7, 64, 5],
      [13, 130, 16],
      [49, 3, 24],
      [140, 1600, 8], // more rows than one block has
    ])('%i rows of %i, heads of %i', async (rows, nIn, headDim) => {
      // x in digits of 15 or 14 bits, and a softmax of scores that are sums of 1600 products
      const digits = variant.options.i8Products ? 2.5e-4 : 7e-5;
      const relative = format === 'q8' || format === 'q4' ? digits : 3e-5;
      const expected = await layersOf(reference, rows, nIn, headDim, format);
      const found = await layersOf(await backend.open(), rows, nIn, headDim, format);
      for (const [name, values] of expected) expectClose(found.get(name)!, values, { relative }, name);
    });
  });
});
