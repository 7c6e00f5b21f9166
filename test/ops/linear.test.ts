import { describe, expect, test } from 'vitest';
import type { WeightFormat } from '../../src/plan/backend.ts';
import { backends, openedOnce, type TestBackend, webgpuVariants, webgpuWorkgroups } from '../backends.ts';
import { expectClose } from '../close.ts';
import { type LinearCase, type LinearShape, linearShapes, runLinear, testLinear } from './linear-case.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

const formats: WeightFormat[] = ['f32', 'f16', 'q8', 'q4'];
/** On GPUs one table for one row and for many: software compiles each kernel of it for a second. The others are in test:full. */
const onGpu: readonly LinearShape[] = [
  [1, 37, 41],
  [70, 37, 41],
];

const [reference, ...others] = [...backends, webgpuWorkgroups].map(openedOnce) as [TestBackend, ...TestBackend[]];

describe.each(others)('linear on $name equals the CPU reference', (backend) => {
  for (const format of formats) {
    const isGpu = backend.name.startsWith('webgpu');
    // Packed formats differ in how a unit of weights is read, which four shapes show.
    const some = isGpu ? onGpu : linearShapes.filter((_, i) => [0, 2, 4, 5].includes(i));
    const all = isGpu ? [...onGpu, [33, 130, 7] as const] : linearShapes;
    testLinear(backend, reference, format, format === 'f32' ? all : some);
  }

  test.each(['gelu_new', 'gelu', 'relu', 'silu'] as const)('activation %s, apart and fused', async (activation) => {
    const one: LinearCase = { rows: 1, nIn: 96, nOut: 50, format: 'f32', activation };
    const expected = await runLinear(reference, one, ['active', 'sum']);
    const found = await runLinear(backend, one, ['active', 'sum']);
    expectClose(found.get('active')!, expected.get('active')!, { absolute: 1e-5 }, activation);
    expectClose((await runLinear(backend, one, ['sum'])).get('sum')!, expected.get('sum')!, { absolute: 1e-4 }, 'sum');
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
    const one: LinearCase = { rows: 1, nIn: 37, nOut: 41, format };
    const expected = await runLinear(reference, one, ['sum']);
    const found = await runLinear(backend, one, ['sum']);
    expectClose(found.get('sum')!, expected.get('sum')!, { relative: 2e-6, absolute: 2e-5 }, 'sum');
  });
});

describe.each(['registers', 'quads', 'shared'] as const)('many rows, variant %s', (tile) => {
  const backend = openedOnce(webgpuVariants({ tile }));
  test.each(['f32', 'q8'] as const)('%s', async (format) => {
    const one: LinearCase = { rows: 70, nIn: 37, nOut: 41, format };
    const expected = await runLinear(reference, one, ['sum']);
    const found = await runLinear(backend, one, ['sum']);
    expectClose(found.get('sum')!, expected.get('sum')!, { relative: 2e-6, absolute: 2e-5 }, 'sum');
  });
});
