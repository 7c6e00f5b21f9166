import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/plan/backend.ts';
import { halfFromFloat, halfTable } from '../../src/plan/half.ts';
import { backends, openedOnce, type TestBackend, webgpuHalves, webgpuWorkgroups } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

const [reference, ...others] = [...backends, webgpuWorkgroups, ...webgpuHalves].map(openedOnce) as [
  TestBackend,
  ...TestBackend[],
];

/** Where keys and values are kept as halves, heads are a multiple of 4 wide. */
const fitting = <T extends readonly [number, number, headDim: number]>(backend: TestBackend, shapes: T[]): T[] =>
  shapes.filter(([, , headDim]) => headDim % 4 === 0 || !backend.name.includes('halves'));

/** Values that are halves, so that a cache of halves keeps them exactly. */
const halves = (values: Float32Array): Float32Array => values.map((value) => halfTable()[halfFromFloat(value)]!);

const names = ['scores', 'pattern', 'z'];

function attentionPlan(rows: number, nHead: number, headDim: number, magnitude: number): MiniPlan {
  const plan = new MiniPlan(rows, { nHead, headDim, nLayer: 1 });
  const width = nHead * headDim;
  const q = plan.input('q', randomValues(rows * width, 1, magnitude), nHead, headDim);
  const k = plan.input('k', halves(randomValues(rows * width, 2, magnitude)), nHead, headDim);
  const v = plan.input('v', halves(randomValues(rows * width, 3)), nHead, headDim);
  const scores = plan.tensor('scores', nHead, 'rows', 'context');
  const pattern = plan.tensor('pattern', nHead, 'rows', 'context');
  const z = plan.tensor('z', 'rows', nHead, headDim);
  plan.step({ op: 'cacheAppend', k, v, layer: 0 });
  plan.step({ op: 'attentionScores', q, layer: 0, scale: 1 / Math.sqrt(headDim), output: scores });
  plan.step({ op: 'maskedSoftmax', input: scores, output: pattern });
  plan.step({ op: 'attentionMix', pattern, layer: 0, output: z });
  return plan;
}

describe.each(others)('attention on $name equals the CPU reference', (backend) => {
  const shapes = fitting(backend, [
    [1, 1, 1],
    [1, 12, 64],
    [5, 3, 48],
    [64, 2, 10],
    [65, 4, 32],
    [200, 1, 96],
    [40, 2, 130],
    [1023, 1, 16],
  ]);
  test.each(shapes)('%i rows, %i heads of %i', async (rows, nHead, headDim) => {
    const expected = await attentionPlan(rows, nHead, headDim, 3).run(await reference.open(), names);
    const apart = await attentionPlan(rows, nHead, headDim, 3).run(await backend.open(), names);
    const whole = await attentionPlan(rows, nHead, headDim, 3).run(await backend.open(), ['z']);
    for (const name of names)
      expectClose(apart.captured.get(name)!, expected.captured.get(name)!, { absolute: 1e-5 }, name);
    expectClose(whole.captured.get('z')!, expected.captured.get('z')!, { absolute: 1e-5 }, 'fused z');
  });

  const cached = fitting(backend, [
    [300, 2, 64],
    [1023, 3, 48],
    [70, 2, 130],
    [18, 3, 10],
    [530, 1, 132],
  ]);
  test.each(cached)('a row behind a cache, %i positions, %i heads of %i', async (rows, nHead, headDim) => {
    const expected = await attentionPlan(rows, nHead, headDim, 3).run(await reference.open(), ['z']);
    const all = Array.from({ length: rows }, (_, position) => ({ token: position, position, slot: 0 }));
    const program = await attentionPlan(rows, nHead, headDim, 3).program(await backend.open(), ['z'], { rows: all });
    await program.run({ rows: all.slice(0, -1), logitRows: [] });
    const { captured } = await program.run({ rows: all.slice(-1), logitRows: [] });
    program.dispose();
    const last = expected.captured.get('z')!.subarray(-nHead * headDim);
    expectClose(captured.get('z')!, last, { absolute: 1e-5 }, 'z');
  });

  test('scores in the thousands do not overflow', async () => {
    const expected = await attentionPlan(70, 2, 32, 60).run(await reference.open(), ['z']);
    const found = await attentionPlan(70, 2, 32, 60).run(await backend.open(), ['z']);
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
  const plan = new MiniPlan(2, { nHead: 1, headDim: 1, nLayer: 1 });
  const q = plan.input('q', Float32Array.of(1, 1), 1, 1);
  const k = plan.input('k', Float32Array.of(0, Math.log(3)), 1, 1);
  const v = plan.input('v', Float32Array.of(4, 8), 1, 1);
  plan.step({ op: 'cacheAppend', k, v, layer: 0 });
  plan.step({ op: 'attentionScores', q, layer: 0, scale: 1, output: plan.tensor('s', 1, 'rows', 'context') });
  plan.step({ op: 'maskedSoftmax', input: 's', output: plan.tensor('p', 1, 'rows', 'context') });
  plan.step({ op: 'attentionMix', pattern: 'p', layer: 0, output: plan.tensor('z', 'rows', 1, 1) });
  const { captured } = await plan.run(await reference.open(), ['s', 'p', 'z']);
  expectClose(captured.get('p')!, [1, 0, 0.25, 0.75], { absolute: 1e-6 }, 'p');
  expectClose(captured.get('z')!, [4, 7], { absolute: 1e-6 }, 'z');
  expect(captured.get('s')![1]).toBe(Number.NEGATIVE_INFINITY);
});
