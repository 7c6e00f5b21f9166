import { describe, expect, test } from 'vitest';
import type { WeightFormat } from '../../src/plan/backend.ts';
import type { Activation } from '../../src/plan/plan.ts';
import { backends, openedOnce, type TestBackend, webgpuVariants, webgpuWorkgroups } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

interface Case {
  rows: number;
  nIn: number;
  nOut: number;
  format: WeightFormat;
  activation?: Activation;
}

const formats: WeightFormat[] = ['f32', 'f16', 'q8', 'q4'];
const shapes = [
  [1, 1, 1],
  [1, 48, 3],
  [1, 96, 288],
  [1, 768, 2304],
  [2, 37, 41],
  [7, 64, 65],
  [33, 130, 7],
  [1023, 96, 48],
] as const;

/** x -> layerNorm -> linear -> activation -> + residual: every fusion that the backend knows applies. */
function linearPlan({ rows, nIn, nOut, format, activation }: Case): MiniPlan {
  const plan = new MiniPlan(rows);
  const x = plan.input('x', randomValues(rows * nIn, 1, 3), nIn);
  const residual = plan.input('residual', randomValues(rows * nOut, 2, 1000), nOut);
  const norm = {
    weight: plan.vector('norm.weight', randomValues(nIn, 3)),
    bias: plan.vector('norm.bias', randomValues(nIn, 4)),
    epsilon: 1e-5,
  };
  const bias = plan.vector('bias', randomValues(nOut, 5));
  const weight = plan.matrix('weight', nOut, nIn, randomValues(nOut * nIn, 6, 0.2), format);
  const scale = plan.tensor('scale', 'rows', 1);
  const normed = plan.tensor('normed', 'rows', nIn);
  const product = plan.tensor('product', 'rows', nOut);
  const active = plan.tensor('active', 'rows', nOut);
  const sum = plan.tensor('sum', 'rows', nOut);
  plan.step({ op: 'layerNormScale', input: x, output: scale, epsilon: 1e-5 });
  plan.step({ op: 'layerNorm', input: x, scale, output: normed, ...norm });
  plan.step({ op: 'linear', input: normed, weight, bias, outputs: [product] });
  plan.step({ op: 'activation', kind: activation ?? 'gelu_new', input: product, output: active });
  plan.step({ op: 'add', a: residual, b: active, output: sum });
  return plan;
}

async function run(backend: TestBackend, one: Case, capture: string[]) {
  return (await linearPlan(one).run(await backend.open(), capture)).captured;
}

/** WebAssembly multiplies whole numbers, so it rounds the input of quantised weights to 15 bits. */
function tolerances({ name }: TestBackend, { format }: Case): { relative: number; absolute: number } {
  const rounded = name.startsWith('wasm') && (format === 'q8' || format === 'q4');
  return rounded ? { relative: 2e-6, absolute: 4e-4 } : { relative: 2e-6, absolute: 2e-5 };
}

const [reference, ...others] = [...backends, webgpuWorkgroups].map(openedOnce) as [TestBackend, ...TestBackend[]];

describe.each(others)('linear on $name equals the CPU reference', (backend) => {
  for (const format of formats) {
    // Every shape once; packed formats differ in how a unit of weights is read, which four shapes show.
    const own = format === 'f32' ? shapes : shapes.filter((_, i) => [0, 2, 4, 5].includes(i));
    test.each(own)(`${format}: %i rows, %i -> %i`, async (rows, nIn, nOut) => {
      const one: Case = { rows, nIn, nOut, format };
      const everything = ['normed', 'product', 'active', 'sum'];
      const expected = await run(reference, one, everything);
      // Nothing but the last tensor kept: all fused. Everything kept: nothing fused.
      const fused = await run(backend, one, ['sum']);
      const apart = await run(backend, one, everything);
      const tolerance = tolerances(backend, one);
      for (const name of everything) expectClose(apart.get(name)!, expected.get(name)!, tolerance, name);
      expectClose(fused.get('sum')!, expected.get('sum')!, tolerance, 'fused sum');
    });
  }

  test.each(['gelu_new', 'gelu', 'relu', 'silu'] as const)('activation %s, apart and fused', async (activation) => {
    const one: Case = { rows: 3, nIn: 96, nOut: 50, format: 'f32', activation };
    const expected = await run(reference, one, ['active', 'sum']);
    const found = await run(backend, one, ['active', 'sum']);
    expectClose(found.get('active')!, expected.get('active')!, { absolute: 1e-5 }, activation);
    expectClose((await run(backend, one, ['sum'])).get('sum')!, expected.get('sum')!, { absolute: 1e-4 }, 'sum');
  });

  test('a vocabulary of 50,257 for one selected row of two', async () => {
    const plan = () => {
      const mini = new MiniPlan(2);
      const x = mini.input('x', randomValues(2 * 48, 1), 48);
      const weight = mini.matrix('head', 50257, 48, randomValues(50257 * 48, 2), 'f16');
      const selected = mini.tensor('selected', 'logitRows', 48);
      const logits = mini.tensor('logits', 'logitRows', 50257);
      mini.step({ op: 'selectRows', input: x, output: selected });
      mini.step({ op: 'linear', input: selected, weight, outputs: [logits] });
      return mini;
    };
    const [a, b] = [await reference.open(), await backend.open()];
    const expected = await plan().run(a, [], { logitRows: [1] });
    const found = await plan().run(b, [], { logitRows: [1] });
    expect(expected.logits.length).toBe(50257);
    expectClose(found.logits, expected.logits, { absolute: 1e-5 }, 'logits');
  });
});

test('the reference itself: a product worked out by hand', async () => {
  const plan = new MiniPlan(1);
  const x = plan.input('x', Float32Array.of(1, 2, 3), 3);
  const weight = plan.matrix('weight', 2, 3, Float32Array.of(1, 0, -1, 0.5, 0.5, 0.5), 'f32');
  const bias = plan.vector('bias', Float32Array.of(10, 20));
  plan.step({ op: 'linear', input: x, weight, bias, outputs: [plan.tensor('y', 'rows', 2)] });
  const backend = await reference.open();
  expect([...(await plan.run(backend, ['y'])).captured.get('y')!]).toEqual([8, 23]);
});

describe.each(['registers', 'quads', 'lanes', 'lanes16', 'lanes64'] as const)('one row, variant %s', (row) => {
  const backend = openedOnce(webgpuVariants({ row }));
  test.each(formats)('%s', async (format) => {
    const one: Case = { rows: 1, nIn: 96, nOut: 70, format };
    const expected = await run(reference, one, ['sum']);
    const found = await run(backend, one, ['sum']);
    expectClose(found.get('sum')!, expected.get('sum')!, { relative: 2e-6, absolute: 2e-5 }, 'sum');
  });
});

describe.each(['registers', 'quads', 'shared'] as const)('many rows, variant %s', (tile) => {
  const backend = openedOnce(webgpuVariants({ tile }));
  test.each(['f32', 'q8'] as const)('%s', async (format) => {
    const one: Case = { rows: 11, nIn: 96, nOut: 70, format };
    const expected = await run(reference, one, ['sum']);
    const found = await run(backend, one, ['sum']);
    expectClose(found.get('sum')!, expected.get('sum')!, { relative: 2e-6, absolute: 2e-5 }, 'sum');
  });
});
