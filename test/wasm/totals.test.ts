import { describe, expect, test } from 'vitest';
import type { Backend } from '../../src/plan/backend.ts';
import { logSumExp } from '../../src/run/log-sum-exp.ts';
import { openedOnce } from '../backends.ts';
import { MiniPlan, randomValues } from '../ops/mini-plan.ts';
import { variantsOf } from './variants.ts';

const none = Number.NEGATIVE_INFINITY;

/** The logits of all rows, last row first, and what the backend says of them. */
async function told(backend: Backend, rows: readonly ArrayLike<number>[]) {
  const width = rows[0]!.length;
  const plan = new MiniPlan(rows.length);
  plan.input('x', Float32Array.from(rows.flatMap((row) => Array.from(row))), width);
  plan.step({ op: 'selectRows', input: 'x', output: plan.tensor('logits', 'logitRows', width) });
  const logitRows = [...rows.keys()].reverse();
  const { logits, totals } = await plan.run(backend, [], { logitRows });
  return logitRows.map((_, i) => ({ logits: logits.slice(i * width, (i + 1) * width), ...totals![i] }));
}

describe.each(variantsOf(false))('$name', (variant) => {
  const { open } = openedOnce(variant);

  test.each([
    [1, 1],
    [3, 5],
    [96, 33],
    [1023, 2],
    [50_257, 8],
  ])('of rows %d wide, %d of them, each has its logSumExp and its first largest', async (width, count) => {
    const rows = Array.from({ length: count }, (_, r) => randomValues(width, r + 1, 30));
    for (const row of rows) row[width >> 1] = row[width - 1] = Math.max(...row);
    for (const { logits, total, best } of await told(await open(), rows)) {
      expect(best).toBe(logits.indexOf(Math.max(...logits)));
      expect(Math.abs(total! - logSumExp(logits))).toBeLessThan(1e-6);
    }
  });

  test('many unlikely words count in the sum, and the same again after the next run', async () => {
    const peaked = Float32Array.from({ length: 50_257 }, (_, id) => (id === 7 ? 0 : -17.5));
    const [first, second] = await told(await open(), [peaked, peaked]);
    expect(first!.total).toBeCloseTo(logSumExp(peaked), 6);
    expect(second).toEqual(first);
  });

  test('what is excluded counts nothing, and what is no distribution is left to others to judge', async () => {
    const rows = [
      [none, 2, none, 2],
      [none, none, none, none],
      [1, Number.NaN, 2, 3],
      [1, 2, 3, Number.NaN],
      [0, Number.POSITIVE_INFINITY, 0, 0],
      [-5e4, -5e4, -5e4, -5e4],
    ];
    const found = (await told(await open(), rows)).reverse().map(({ total, best }) => ({ total, best }));
    expect(found[0]!.best).toBe(1);
    expect(found[0]!.total).toBeCloseTo(2 + Math.LN2, 6);
    expect(found.slice(1, 5)).toEqual([{}, {}, {}, {}]);
    expect(found[5]).toEqual({ total: expect.closeTo(-5e4 + Math.log(4), 2), best: 0 });
  });
});
