import { describe, expect, test } from 'vitest';
import type { WeightFormat } from '../../src/plan/backend.ts';
import type { EmbedTable } from '../../src/plan/plan.ts';
import { backends, openedOnce, type TestBackend } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

const [reference, ...others] = backends.map(openedOnce) as [TestBackend, ...TestBackend[]];

const width = 37;
const rows = [
  { token: 3, position: 0, slot: 0 },
  { token: 0, position: 1, slot: 0, segment: 1 },
  { token: 19, position: 2, slot: 0, segment: 1 },
  { token: 7, position: 9, slot: 0, segment: 0 },
];

/** Tokens, positions that begin at row 2 of their table, segments, all with a factor: in one step, or one each and added up. */
function embedPlan(format: WeightFormat, together: boolean, more: EmbedTable['by'][] = []): MiniPlan {
  const plan = new MiniPlan(rows.length);
  const table = (name: string, length: number, seed: number, as: WeightFormat = 'f32') =>
    plan.matrix(name, length, width, randomValues(length * width, seed), as);
  const tables: EmbedTable[] = [
    { weight: table('words', 20, 1, format), by: 'token', scale: Math.sqrt(width) },
    { weight: table('positions', 12, 2), by: 'position', first: 2 },
    { weight: table('segments', 2, 3), by: 'segment', scale: -0.5 },
    ...more.map((by, i) => ({ weight: table(`more ${i}`, 20, 4 + i, format), by })),
  ];
  if (together) {
    plan.step({ op: 'embed', tables, output: plan.tensor('sum', 'rows', width) });
    return plan;
  }
  let sum = '';
  tables.forEach((one, i) => {
    const output = plan.tensor(`table ${i}`, 'rows', width);
    plan.step({ op: 'embed', tables: [one], output });
    const next = i === tables.length - 1 ? 'sum' : `sum ${i}`;
    if (i > 0) plan.step({ op: 'binary', kind: 'add', a: sum, b: output, output: plan.tensor(next, 'rows', width) });
    sum = i > 0 ? next : output;
  });
  return plan;
}

describe.each(others)('embeddings on $name equal the CPU reference', (backend) => {
  const run = async (on: TestBackend, plan: MiniPlan, capture = ['sum']) =>
    (await plan.run(await on.open(), capture, { rows, context: 16 })).captured;

  test.each(['f32', 'q8'] as const)('three tables with first rows and factors, words in %s', async (format) => {
    const parts = ['table 0', 'table 1', 'table 2', 'sum'];
    const expected = await run(reference, embedPlan(format, false), parts);
    const apart = await run(backend, embedPlan(format, false), parts);
    for (const name of parts) expectClose(apart.get(name)!, expected.get(name)!, { absolute: 1e-5 }, name);
    for (const together of [true, false]) {
      const found = await run(backend, embedPlan(format, together));
      expectClose(found.get('sum')!, expected.get('sum')!, { absolute: 1e-5 }, `together: ${together}`);
    }
  });

  test.each(['f32', 'q8'] as const)('five tables, three of them in %s', async (format) => {
    const expected = await run(reference, embedPlan(format, true, ['token', 'segment']));
    for (const together of [true, false]) {
      const found = await run(backend, embedPlan(format, together, ['token', 'segment']));
      expectClose(found.get('sum')!, expected.get('sum')!, { absolute: 1e-5 }, `together: ${together}`);
    }
  });

  test("the batch's own numbers, and what is made of them, behind other steps", async () => {
    const plan = () => {
      const mini = new MiniPlan(rows.length);
      const weight = mini.matrix('patches', 41, width, randomValues(41 * width, 1), 'f32');
      const table = mini.matrix('positions', 20, 41, randomValues(20 * 41, 2), 'f32');
      const [x, y, place] = [
        mini.tensor('x', 'rows', width),
        mini.tensor('y', 'rows', 41),
        mini.tensor('place', 'rows', 41),
      ];
      mini.step({ op: 'embed', tables: [{ weight: table, by: 'position' }], output: place });
      mini.step({ op: 'activation', kind: 'relu', input: place, output: mini.tensor('active', 'rows', 41) });
      mini.step({ op: 'input', output: x });
      mini.step({ op: 'linear', input: x, weight, outputs: [y] });
      mini.step({ op: 'binary', kind: 'add', a: y, b: 'active', output: mini.tensor('sum', 'rows', 41) });
      return mini;
    };
    for (const some of [rows, rows.slice(0, 1)]) {
      const input = randomValues(some.length * width, 3);
      const on = async ({ open }: TestBackend, capture: string[]) =>
        (await plan().run(await open(), capture, { rows: some, input, context: 16 })).captured;
      const expected = await on(reference, ['x', 'sum']);
      expect(expected.get('x')).toEqual(input);
      const found = await on(backend, ['x', 'sum']);
      expect(found.get('x')).toEqual(input);
      for (const one of [found, await on(backend, ['sum'])]) {
        expectClose(one.get('sum')!, expected.get('sum')!, { absolute: 1e-5 }, 'sum');
      }
    }
  });
});

test('the reference itself: rows looked up by hand', async () => {
  const plan = new MiniPlan(1);
  const words = plan.matrix('words', 2, 1, Float32Array.of(1, 2), 'f32');
  const positions = plan.matrix('positions', 4, 1, Float32Array.of(10, 20, 30, 40), 'f32');
  const segments = plan.matrix('segments', 2, 1, Float32Array.of(100, 200), 'f32');
  const tables: EmbedTable[] = [
    { weight: words, by: 'token', scale: 3 },
    { weight: positions, by: 'position', first: 2 },
    { weight: segments, by: 'segment' },
  ];
  plan.step({ op: 'embed', tables, output: plan.tensor('sum', 'rows', 1) });
  const of = async (segment?: number) => {
    const one = [{ token: 1, position: 1, slot: 0, ...(segment !== undefined && { segment }) }];
    return (await plan.run(await reference.open(), ['sum'], { rows: one, context: 2 })).captured.get('sum')![0];
  };
  expect([await of(1), await of()]).toEqual([6 + 40 + 200, 6 + 40 + 100]);
});
