import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/plan/backend.ts';
import { withEdits } from '../../src/plan/edit.ts';
import type { KeySource, Plan } from '../../src/plan/plan.ts';
import { backends, isFull, openedOnce, type TestBackend, webgpuHalves, webgpuWorkgroups } from '../backends.ts';
import { expectClose } from '../close.ts';
import { halves } from './attention-case.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

/** Software compiles the kernels of each for seconds; test/ops/attention.test.ts has halves in workgroups too. */
const ofHalves = isFull ? webgpuHalves : webgpuHalves.slice(0, 1);
const [reference, ...others] = [...backends, webgpuWorkgroups, ...ofHalves].map(openedOnce) as [
  TestBackend,
  ...TestBackend[],
];
const names = ['scores', 'pattern', 'z'];

interface Shape {
  rows: number;
  /** Of the queries, and of the keys. */
  heads: readonly [number, number];
  headDim: number;
  axis: KeySource['axis'];
  /** The farthest distance in the bias. */
  farthest?: number;
  /** Places of the memory, which an encoder fills. */
  places?: number;
}

/** Attention over a source. With `places` an encoder appends the keys, else the steps themselves do. */
function planOf({ rows, heads: [nHead, keyHeads], headDim, axis, farthest, places = rows }: Shape): MiniPlan {
  const plan = new MiniPlan(Math.max(rows, places));
  const source = plan.source('keys', { nHead: keyHeads, headDim, axis });
  const input = (name: string, heads: number, values: Float32Array) => plan.input(name, values, heads, headDim);
  const keys = plan.rows * keyHeads * headDim;
  const k = input('k', keyHeads, halves(randomValues(keys, 1, 2)));
  const v = input('v', keyHeads, halves(randomValues(keys, 2)));
  plan.step({ op: 'cacheAppend', k, v, source });
  if (axis === 'source') plan.endEncoder();
  const q = input('q', nHead, randomValues(plan.rows * nHead * headDim, 3, 2));
  const along = axis === 'source' ? 'source' : 'context';
  const scores = plan.tensor('scores', nHead, 'rows', along);
  const pattern = plan.tensor('pattern', nHead, 'rows', along);
  const columns = 2 * (farthest ?? 0) + 1;
  const bias =
    farthest === undefined
      ? {}
      : { bias: plan.matrix('bias', nHead, columns, randomValues(nHead * columns, 4, 2), 'f32') };
  plan.step({ op: 'attentionScores', q, source, scale: 0.3, output: scores, ...bias });
  plan.step({ op: 'maskedSoftmax', input: scores, source, output: pattern });
  plan.step({ op: 'attentionMix', pattern, source, output: plan.tensor('z', 'rows', nHead, headDim) });
  return plan;
}

/** Rows of texts of these lengths one behind the other, each of which sees all of its text. */
const packed = (lengths: readonly number[]): Row[] =>
  lengths.flatMap((sees, i) => {
    const first = lengths.slice(0, i).reduce((a, b) => a + b, 0);
    return Array.from({ length: sees }, (_, position) => {
      const at = first + position;
      return { token: at, position, slot: 0, at, first, sees };
    });
  });

/** Rows of one text, each of which sees what came before. */
const causal = (length: number): Row[] =>
  Array.from({ length }, (_, position) => ({ token: position, position, slot: 0 }));

/** Apart and whole, against the reference. */
async function compare(backend: TestBackend, shape: Omit<Shape, 'rows'>, rows: Row[], context = rows.length) {
  const run = async ({ open }: TestBackend, capture: string[]) =>
    planOf({ ...shape, rows: rows.length }).run(await open(), capture, { rows, context });
  const expected = await run(reference, names);
  const apart = await run(backend, names);
  expect(apart.sizes).toEqual(expected.sizes);
  for (const name of names) {
    expectClose(apart.captured.get(name)!, expected.captured.get(name)!, { absolute: 1e-5 }, name);
  }
  const whole = await run(backend, ['z']);
  expectClose(whole.captured.get('z')!, expected.captured.get('z')!, { absolute: 1e-5 }, 'whole z');
}

describe.each(others)('keys and values of a source on $name, as on the CPU reference', (backend) => {
  const isWhole = !backend.name.includes('halves');
  const all = isFull || !backend.name.startsWith('webgpu');
  /** A bias and a memory, which read keys as the rest does; long texts are in test/ops/attention.test.ts. */
  const isBrief = backend.name === webgpuWorkgroups.name && !isFull;

  const shared = [
    [6, 2],
    [3, 1],
  ] as [number, number][];
  test.each(all ? shared : shared.slice(0, isBrief ? 0 : 1))('%i heads share %i', async (...heads) => {
    const shape = { heads, headDim: 16, axis: 'context' } as const;
    await compare(backend, shape, causal(21));
    // The last row by itself, behind what the others left in the cache.
    const rows = causal(21);
    const whole = await planOf({ ...shape, rows: 21 }).run(await reference.open(), ['z'], { rows });
    const program = await planOf({ ...shape, rows: 21 }).program(await backend.open(), ['z'], { rows });
    await program.run({ rows: rows.slice(0, 20), logitRows: [] });
    const { captured } = await program.run({ rows: rows.slice(20), logitRows: [] });
    program.dispose();
    expectClose(captured.get('z')!, whole.captured.get('z')!.subarray(-heads[0] * 16), { absolute: 1e-5 }, 'last z');
  });

  test.runIf(all || (isWhole && !isBrief))('texts of many lengths in one batch', async () => {
    const lengths = [1, 3, 8, 17, 64, 65];
    await compare(backend, { heads: [4, 4], headDim: 32, axis: 'rows' }, packed(lengths), 8);
    // Each of them by itself is the same.
    const shape = { heads: [4, 4], headDim: 32, axis: 'rows' } as const;
    const rows = packed(lengths);
    const program = await planOf({ ...shape, rows: rows.length }).program(await backend.open(), ['z'], { rows });
    const together = (await program.run({ rows, logitRows: [] })).captured.get('z')!;
    for (const first of [0, 1, 12, 29]) {
      const { sees = 0 } = rows[first]!;
      const alone = rows.slice(first, first + sees).map((row) => ({ ...row, at: row.position, first: 0 }));
      const { captured } = await program.run({ rows: alone, logitRows: [] });
      const own = together.subarray(first * 128, (first + sees) * 128);
      expectClose(captured.get('z')!, own, { absolute: 1e-5 }, `text of ${sees}`);
    }
    program.dispose();
  });

  test.runIf(all || (isWhole && !isBrief))('texts in any order, with a gap between: row by row', async () => {
    const [a, b, c] = [packed([4]), packed([4, 9]).slice(4), packed([4, 9, 6]).slice(13)];
    await compare(backend, { heads: [4, 4], headDim: 32, axis: 'rows' }, [...a, ...b, ...c]);
    // A window of the five keys before: ranges that move with the rows.
    const window = causal(30).map((row) => {
      const first = Math.max(0, row.position - 4);
      return { ...row, first, sees: row.position + 1 - first };
    });
    await compare(backend, { heads: [4, 4], headDim: 32, axis: 'context' }, window);
    // Two slots of which the second has nothing to do with the end of the first.
    const slots = [...causal(9), ...causal(9).map((row) => ({ ...row, token: row.token + 9, slot: 1 }))];
    await compare(backend, { heads: [4, 4], headDim: 32, axis: 'context' }, slots, 12);
  });

  if (isWhole) {
    test.each(all ? [2, 40] : [2])('a bias by distance, up to %i places away', async (farthest) => {
      const shape = { heads: [4, 2], headDim: 16, farthest } as const;
      await compare(backend, { ...shape, axis: 'rows' }, packed([3, 17, 9]));
      await compare(backend, { ...shape, axis: 'context' }, causal(19));
      await compare(backend, { ...shape, axis: 'context' }, causal(1));
    });
  }

  describe('a memory that an encoder fills', () => {
    const shape: Shape = { rows: 7, heads: [4, 2], headDim: 16, axis: 'source', places: 13 };
    /** Two texts were encoded: 9 rows and 4. */
    const encoded: Row[] = packed([9, 4]).map((row) => ({ ...row, memory: { first: row.at!, count: 1 } }));
    const memory = [
      { first: 0, count: 9 },
      { first: 9, count: 4 },
    ];
    /** Two texts that read one each; two beams of the first and one of the second. */
    const texts: Row[] = [
      ...causal(4).map((row) => ({ ...row, memory: memory[0]! })),
      ...causal(3).map((row) => ({ ...row, token: row.token + 4, slot: 1, memory: memory[1]! })),
    ];
    const beams = [0, 1, 0].map((of, slot) => ({ token: slot, position: 5, slot, memory: memory[of]! }));

    const run = async ({ open }: TestBackend, capture: string[], change?: (plan: Plan) => Plan) => {
      const mini = planOf(shape);
      const how = { rows: [...texts, ...beams], context: 8, source: 13, ...(change && { change }) };
      const program = await mini.program(await open(), capture, how);
      const filled = await program.run({ rows: encoded, logitRows: [], encodes: true });
      const runs = [];
      for (const rows of [texts, beams, texts.slice(0, 4), texts.slice(5, 6)]) {
        runs.push(await program.run({ rows, logitRows: [] }));
      }
      program.dispose();
      return { filled, runs };
    };

    test('is read by texts, by beams and by one row', async () => {
      const expected = await run(reference, ['k', ...names]);
      const apart = await run(backend, ['k', ...names]);
      const whole = await run(backend, ['z']);
      // A run gives back what it makes.
      expect([...apart.filled.captured.keys()]).toEqual(['k']);
      expectClose(apart.filled.captured.get('k')!, expected.filled.captured.get('k')!, { absolute: 0 }, 'k');
      expected.runs.forEach(({ captured, sizes }, i) => {
        expect([...apart.runs[i]!.captured.keys()]).toEqual(names);
        expect(apart.runs[i]!.sizes).toEqual(sizes);
        for (const name of names) {
          expectClose(apart.runs[i]!.captured.get(name)!, captured.get(name)!, { absolute: 1e-5 }, `${name}, run ${i}`);
        }
        expectClose(whole.runs[i]!.captured.get('z')!, captured.get('z')!, { absolute: 1e-5 }, `whole z, run ${i}`);
      });
    });

    if (all || backend.name === 'webgpu') {
      test.each([
        ['a head set to 0', { head: 1, set: 0 }],
        ['a row of one position', { position: 2, head: [0, 3], set: randomValues(2 * 9, 7) }],
        ['a factor for all', { scale: 0.5 }],
      ])('its pattern is edited: %s', async (_, edit) => {
        const change = (plan: Plan) => withEdits(plan, [{ name: 'pattern', ...edit }], 4, 9);
        const expected = await run(reference, ['pattern', 'z'], change);
        const found = await run(backend, ['pattern', 'z'], change);
        const untouched = await run(reference, ['pattern'], undefined);
        expect(expected.runs[0]!.captured.get('pattern')).not.toEqual(untouched.runs[0]!.captured.get('pattern'));
        expected.runs.forEach(({ captured }, i) => {
          for (const name of ['pattern', 'z']) {
            expectClose(
              found.runs[i]!.captured.get(name)!,
              captured.get(name)!,
              { absolute: 1e-5 },
              `${name}, run ${i}`,
            );
          }
        });
      });
    }
  });

  if (isWhole && !isBrief) {
    const layers: [string[], number][] = [
      [['other', 'q', 'k', 'v'], 1],
      [['k', 'v'], 24],
      [['q', 'k', 'v'], 1],
    ];
    test.each(all ? layers : layers.slice(0, 2))(
      'a layer that makes %s of %i rows appends what it makes',
      async (made, count) => {
        const widths = { other: 41, q: 48, k: 16, v: 16 } as Record<string, number>;
        const plan = () => {
          const mini = new MiniPlan(count);
          const source = mini.source('keys', { nHead: 2, headDim: 8, axis: 'context' });
          const x = mini.input('x', randomValues(count * 37, 1), 37);
          const nOut = made.reduce((sum, name) => sum + widths[name]!, 0);
          const weight = mini.matrix('weight', nOut, 37, randomValues(nOut * 37, 2, 0.3), 'f32');
          const bias = mini.vector('bias', randomValues(nOut, 3));
          const axes = (name: string) => (name === 'other' ? [41] : [widths[name]! / 8, 8]);
          for (const name of made) mini.tensor(name, 'rows', ...axes(name));
          mini.step({ op: 'linear', input: x, weight, bias, outputs: made });
          mini.step({ op: 'cacheAppend', k: 'k', v: 'v', source });
          const q = made.includes('q') ? 'q' : mini.input('q', randomValues(count * 48, 4), 6, 8);
          const scores = mini.tensor('scores', 6, 'rows', 'context');
          mini.step({ op: 'attentionScores', q, source, scale: 0.4, output: scores });
          mini.step({
            op: 'maskedSoftmax',
            input: scores,
            source,
            output: mini.tensor('pattern', 6, 'rows', 'context'),
          });
          mini.step({ op: 'attentionMix', pattern: 'pattern', source, output: mini.tensor('z', 'rows', 6, 8) });
          return mini;
        };
        const on = async ({ open }: TestBackend, capture: string[]) =>
          (await plan().run(await open(), capture)).captured;
        const some = made.includes('other') ? ['other', 'z'] : ['z'];
        const expected = await on(reference, [...made, 'z']);
        for (const capture of [[...made, 'z'], some]) {
          const found = await on(backend, capture);
          for (const name of capture) expectClose(found.get(name)!, expected.get(name)!, { absolute: 1e-5 }, name);
        }
      },
    );
  }
});

test('the reference itself: a bias and shared keys, worked out by hand', async () => {
  const plan = new MiniPlan(2);
  plan.source('keys', { nHead: 1, headDim: 1, axis: 'rows' });
  const q = plan.input('q', Float32Array.of(0, 0, 0, 0), 2, 1);
  const k = plan.input('k', Float32Array.of(5, -5), 1, 1);
  const v = plan.input('v', Float32Array.of(4, 8), 1, 1);
  const third = Math.log(3);
  // A head that takes what is behind three times, and one that takes what is ahead three times.
  const bias = plan.matrix('bias', 2, 3, Float32Array.of(third, 0, 0, 0, 0, third), 'f32');
  plan.step({ op: 'cacheAppend', k, v, source: 'keys' });
  const scores = plan.tensor('s', 2, 'rows', 'context');
  plan.step({ op: 'attentionScores', q, source: 'keys', scale: 1, bias, output: scores });
  const pattern = plan.tensor('p', 2, 'rows', 'context');
  plan.step({ op: 'maskedSoftmax', input: scores, source: 'keys', output: pattern });
  plan.step({ op: 'attentionMix', pattern, source: 'keys', output: plan.tensor('z', 'rows', 2, 1) });
  const { captured } = await plan.run(await reference.open(), ['p', 'z'], { rows: packed([2]) });
  expectClose(captured.get('p')!, [0.5, 0.5, 0.75, 0.25, 0.25, 0.75, 0.5, 0.5], { absolute: 1e-6 }, 'p');
  expectClose(captured.get('z')!, [6, 7, 5, 6], { absolute: 1e-6 }, 'z');
});
