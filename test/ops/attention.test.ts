import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/plan/backend.ts';
import { backends, openedOnce, type TestBackend, webgpuHalves, webgpuWorkgroups } from '../backends.ts';
import { expectClose } from '../close.ts';
import { attentionPlan, cachedShapes, names, testAttention, wholeShapes } from './attention-case.ts';
import { MiniPlan } from './mini-plan.ts';

const [reference, ...others] = [...backends, webgpuWorkgroups, ...webgpuHalves].map(openedOnce) as [
  TestBackend,
  ...TestBackend[],
];

/** On GPUs a head of one slice, and one of three that no vector fits; where halves are kept, none is that. The others are in test:full. */
const onGpu = {
  whole: [
    [65, 4, 32],
    [40, 2, 130],
  ],
  cached: [[70, 2, 130]],
} as const;
const ofHalves = { whole: [[65, 4, 32]], cached: [[300, 2, 64]] } as const;
const everywhere = { whole: wholeShapes, cached: cachedShapes };
const shapesFor = ({ name }: TestBackend) =>
  name.includes('halves') ? ofHalves : name.startsWith('webgpu') ? onGpu : everywhere;

describe.each(others)('attention on $name equals the CPU reference', (backend) => {
  testAttention(backend, reference, shapesFor(backend));

  test('scores in the thousands do not overflow', async () => {
    const expected = await attentionPlan(65, 4, 32, 60).run(await reference.open(), ['z']);
    const found = await attentionPlan(65, 4, 32, 60).run(await backend.open(), ['z']);
    expectClose(found.captured.get('z')!, expected.captured.get('z')!, { absolute: 2e-3 }, 'z');
  });

  test('rows of several slots see only their own', async () => {
    const rows: Row[] = [];
    for (let position = 0; position < 9; position++) {
      for (const slot of [2, 0, 1]) rows.push({ token: rows.length, position, slot });
    }
    const batch = { rows, context: 9 };
    const expected = await attentionPlan(27, 2, 12, 2).run(await reference.open(), names, batch);
    const found = await attentionPlan(27, 2, 12, 2).run(await backend.open(), names, batch);
    for (const name of names)
      expectClose(found.captured.get(name)!, expected.captured.get(name)!, { absolute: 1e-5 }, name);
  });
});

test('the reference itself: two tokens, worked out by hand', async () => {
  const plan = new MiniPlan(2);
  plan.source('cache', { nHead: 1, headDim: 1, axis: 'context' });
  const q = plan.input('q', Float32Array.of(1, 1), 1, 1);
  const k = plan.input('k', Float32Array.of(0, Math.log(3)), 1, 1);
  const v = plan.input('v', Float32Array.of(4, 8), 1, 1);
  plan.step({ op: 'cacheAppend', k, v, source: 'cache' });
  plan.step({ op: 'attentionScores', q, source: 'cache', scale: 1, output: plan.tensor('s', 1, 'rows', 'context') });
  plan.step({ op: 'maskedSoftmax', input: 's', source: 'cache', output: plan.tensor('p', 1, 'rows', 'context') });
  plan.step({ op: 'attentionMix', pattern: 'p', source: 'cache', output: plan.tensor('z', 'rows', 1, 1) });
  const { captured } = await plan.run(await reference.open(), ['s', 'p', 'z']);
  expectClose(captured.get('p')!, [1, 0, 0.25, 0.75], { absolute: 1e-6 }, 'p');
  expectClose(captured.get('z')!, [4, 7], { absolute: 1e-6 }, 'z');
  expect(captured.get('s')![1]).toBe(Number.NEGATIVE_INFINITY);
});
