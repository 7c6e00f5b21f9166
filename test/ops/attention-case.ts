import { test } from 'vitest';
import { halfFromFloat, halfTable } from '../../src/plan/half.ts';
import type { TestBackend } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

export type AttentionShape = readonly [rows: number, nHead: number, headDim: number];

/** Where keys and values are kept as halves, heads are a multiple of 4 wide. */
const fitting = (backend: TestBackend, shapes: readonly AttentionShape[]) =>
  shapes.filter(([, , headDim]) => headDim % 4 === 0 || !backend.name.includes('halves'));

/** Values that are halves, so that a cache of halves keeps them exactly. */
export const halves = (values: Float32Array): Float32Array => values.map((value) => halfTable()[halfFromFloat(value)]!);

export const names = ['scores', 'pattern', 'z'];

export function attentionPlan(rows: number, nHead: number, headDim: number, magnitude: number): MiniPlan {
  const plan = new MiniPlan(rows);
  plan.source('cache', { nHead, headDim, axis: 'context' });
  const width = nHead * headDim;
  const q = plan.input('q', randomValues(rows * width, 1, magnitude), nHead, headDim);
  const k = plan.input('k', halves(randomValues(rows * width, 2, magnitude)), nHead, headDim);
  const v = plan.input('v', halves(randomValues(rows * width, 3)), nHead, headDim);
  const scores = plan.tensor('scores', nHead, 'rows', 'context');
  const pattern = plan.tensor('pattern', nHead, 'rows', 'context');
  const z = plan.tensor('z', 'rows', nHead, headDim);
  plan.step({ op: 'cacheAppend', k, v, source: 'cache' });
  plan.step({ op: 'attentionScores', q, source: 'cache', scale: 1 / Math.sqrt(headDim), output: scores });
  plan.step({ op: 'maskedSoftmax', input: scores, source: 'cache', output: pattern });
  plan.step({ op: 'attentionMix', pattern, source: 'cache', output: z });
  return plan;
}

/** Rows all at once. */
export const wholeShapes: readonly AttentionShape[] = [
  [1, 1, 1],
  [1, 12, 64],
  [5, 3, 48],
  [64, 2, 10],
  [65, 4, 32],
  [200, 1, 96],
  [40, 2, 130],
  [1023, 1, 16],
];

/** The last row by itself. */
export const cachedShapes: readonly AttentionShape[] = [
  [300, 2, 64],
  [1023, 3, 48],
  [70, 2, 130],
  [18, 3, 10],
  [530, 1, 132],
];

export function testAttention(
  backend: TestBackend,
  reference: TestBackend,
  { whole, cached }: { whole: readonly AttentionShape[]; cached: readonly AttentionShape[] },
): void {
  test.each(fitting(backend, whole))('%i rows, %i heads of %i', async (rows, nHead, headDim) => {
    const expected = await attentionPlan(rows, nHead, headDim, 3).run(await reference.open(), names);
    const apart = await attentionPlan(rows, nHead, headDim, 3).run(await backend.open(), names);
    const whole = await attentionPlan(rows, nHead, headDim, 3).run(await backend.open(), ['z']);
    for (const name of names)
      expectClose(apart.captured.get(name)!, expected.captured.get(name)!, { absolute: 1e-5 }, name);
    expectClose(whole.captured.get('z')!, expected.captured.get('z')!, { absolute: 1e-5 }, 'fused z');
  });

  test.each(fitting(backend, cached))(
    'a row behind a cache, %i positions, %i heads of %i',
    async (rows, nHead, headDim) => {
      const expected = await attentionPlan(rows, nHead, headDim, 3).run(await reference.open(), ['z']);
      const all = Array.from({ length: rows }, (_, position) => ({ token: position, position, slot: 0 }));
      const program = await attentionPlan(rows, nHead, headDim, 3).program(await backend.open(), ['z'], { rows: all });
      await program.run({ rows: all.slice(0, -1), logitRows: [] });
      const { captured } = await program.run({ rows: all.slice(-1), logitRows: [] });
      program.dispose();
      const last = expected.captured.get('z')!.subarray(-nHead * headDim);
      expectClose(captured.get('z')!, last, { absolute: 1e-5 }, 'z');
    },
  );
}
