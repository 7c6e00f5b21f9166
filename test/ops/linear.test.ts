import { describe, expect, test } from 'vitest';
import type { WeightFormat } from '../../src/plan/backend.ts';
import { backends, isFull, openedOnce, type TestBackend, webgpuVariants, webgpuWorkgroups } from '../backends.ts';
import { expectClose } from '../close.ts';
import {
  type LinearCase,
  type LinearShape,
  linearShapes,
  runLinear,
  testLinear,
  testVocabulary,
  tolerances,
} from './linear-case.ts';
import { MiniPlan } from './mini-plan.ts';

const formats: WeightFormat[] = ['f32', 'bf16', 'f16', 'q8', 'q4'];
/** On GPUs one table for one row and for many: software compiles each kernel of it for a second. The others are in test:full. */
const onGpu: readonly LinearShape[] = [
  [1, 37, 41],
  [70, 37, 41],
];

/** Of kernels that fuse everything. */
async function expectFused(backend: TestBackend, one: LinearCase): Promise<void> {
  const [expected, found] = [await runLinear(reference, one, ['sum']), await runLinear(backend, one, ['sum'])];
  expectClose(found.get('sum')!, expected.get('sum')!, tolerances(backend, one), 'sum');
}

/** Of a kernel that norms its input, and keeps that for others. */
async function expectNormKept(backend: TestBackend, rows: number): Promise<void> {
  const one: LinearCase = { rows, nIn: 37, nOut: 41, format: 'f32' };
  const kept = ['normed', 'sum'];
  const [expected, found] = [await runLinear(reference, one, kept), await runLinear(backend, one, kept)];
  for (const name of kept) expectClose(found.get(name)!, expected.get(name)!, tolerances(backend, one), name);
}

const [reference, ...others] = [...backends, webgpuWorkgroups].map(openedOnce) as [TestBackend, ...TestBackend[]];

describe.each(others)('linear on $name equals the CPU reference', (backend) => {
  const isGpu = backend.name.startsWith('webgpu');
  testLinear(backend, reference, 'f32', isGpu ? onGpu : linearShapes);
  // Packed formats differ in how a unit of weights is read, which four shapes show; on GPUs the variants below do.
  const some = isGpu ? [] : linearShapes.filter((_, i) => [0, 2, 4, 5].includes(i));
  for (const format of formats.slice(1)) testLinear(backend, reference, format, some);

  test.each(['gelu_new', 'gelu', 'relu', 'silu'] as const)('activation %s, apart and fused', async (activation) => {
    const one: LinearCase = { rows: 1, nIn: 37, nOut: 41, format: 'f32', activation };
    const expected = await runLinear(reference, one, ['active', 'sum']);
    const found = await runLinear(backend, one, ['active', 'sum']);
    expectClose(found.get('active')!, expected.get('active')!, { absolute: 1e-5 }, activation);
    expectClose((await runLinear(backend, one, ['sum'])).get('sum')!, expected.get('sum')!, { absolute: 1e-4 }, 'sum');
  });
});

testVocabulary(others.slice(0, 2), reference);

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
  const some = formats.filter((format) => format !== 'bf16' || row === 'quads' || isFull);
  test.each(some)('%s', (format) => expectFused(backend, { rows: 1, nIn: 37, nOut: 41, format }));
  test('a norm that others read too', () => expectNormKept(backend, 1));
});

describe.each([
  ['registers', ['f32', 'q8']],
  ['quads', formats],
  ['shared', ['f32', 'q8']],
] as const)('many rows, variant %s', (tile, some) => {
  const backend = openedOnce(webgpuVariants({ tile }));
  test.each(some)('%s', (format) => expectFused(backend, { rows: 70, nIn: 37, nOut: 41, format }));
  test('a norm that others read too', () => expectNormKept(backend, 70));
});
