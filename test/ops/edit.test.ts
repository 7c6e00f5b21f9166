import { describe, expect, test } from 'vitest';
import { countingDevice } from '../../bench/counting-device.ts';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import { type Edit, withEdits } from '../../src/plan/edit.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { backends, openedOnce, type TestBackend, testGpu } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

const all = backends.map(openedOnce) as TestBackend[];
const [rows, nHead, headDim] = [5, 3, 4];

/** `residual` [rows, 7], `q` [rows, nHead, headDim] and `pattern` [nHead, rows, context], one of them edited. */
async function edited(backend: TestBackend, edit: Edit): Promise<Float32Array> {
  const mini = new MiniPlan(rows);
  mini.source('cache', { nHead, headDim, axis: 'context' });
  mini.input('residual', randomValues(rows * 7, 1), 7);
  mini.input('q', randomValues(rows * nHead * headDim, 2), nHead, headDim);
  mini.step({ op: 'cacheAppend', k: 'q', v: 'q', source: 'cache' });
  mini.step({
    op: 'attentionScores',
    q: 'q',
    source: 'cache',
    scale: 1,
    output: mini.tensor('scores', nHead, 'rows', 'context'),
  });
  mini.step({
    op: 'maskedSoftmax',
    input: 'scores',
    source: 'cache',
    output: mini.tensor('pattern', nHead, 'rows', 'context'),
  });
  const change = (plan: Plan) =>
    withEdits(plan, edit.set === undefined && edit.scale === undefined && edit.add === undefined ? [] : [edit], rows);
  return (await mini.run(await backend.open(), [edit.name], { change })).captured.get(edit.name)!;
}

/** What an edit should do, on the tensor as an array in its own shape. */
function expected(
  before: Float32Array,
  edit: Edit,
  shape: number[],
  positionAxis: number,
  headAxis: number | undefined,
): Float32Array {
  const list = (value: number | readonly number[] | undefined, size: number) =>
    (value === undefined ? Array.from({ length: size }, (_, i) => i) : [value].flat()).map((i) =>
      i < 0 ? size + i : i,
    );
  const positions = list(edit.position, shape[positionAxis]!);
  const heads = headAxis === undefined ? [0] : list(edit.head, shape[headAxis]!);
  const given = (edit.set ?? edit.scale ?? edit.add)!;
  const after = before.slice();
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const inner = shape.at(-1)!;
  const byHeadFirst = headAxis === 0;
  positions.forEach((position, p) => {
    heads.forEach((head, h) => {
      // Keys after a row's position stay masked.
      for (let i = 0; i < (byHeadFirst ? position + 1 : inner); i++) {
        const at = position * strides[positionAxis]! + (headAxis === undefined ? 0 : head * strides[headAxis]!) + i;
        const whole = typeof given === 'number' ? 1 : given.length;
        const one = heads.length * inner;
        const run = whole === one ? h : byHeadFirst ? h * positions.length + p : p * heads.length + h;
        const value = typeof given === 'number' ? given : given[run * inner + i]!;
        after[at] =
          edit.set !== undefined ? value : edit.scale !== undefined ? before[at]! * value : before[at]! + value;
      }
    });
  });
  return after;
}

const residual = { name: 'residual', shape: [rows, 7], positionAxis: 0, headAxis: undefined };
const q = { name: 'q', shape: [rows, nHead, headDim], positionAxis: 0, headAxis: 1 };
const pattern = { name: 'pattern', shape: [nHead, rows, rows], positionAxis: 1, headAxis: 0 };

const cases: [string, typeof residual | typeof q | typeof pattern, Omit<Edit, 'name'>][] = [
  ['set all to a number', residual, { set: 0 }],
  ['scale one position', residual, { position: 2, scale: -3 }],
  ['add a steering vector everywhere', residual, { add: randomValues(7, 9) }],
  ['add a vector at the last position', residual, { position: -1, add: randomValues(7, 9) }],
  ['set two positions, listed backwards', residual, { position: [4, 1], set: randomValues(14, 9) }],
  ['set everything', residual, { set: randomValues(rows * 7, 9) }],
  ['ablate a head', q, { head: 1, set: 0 }],
  ['ablate two heads at a position', q, { head: [0, -1], position: 3, scale: 0 }],
  ['set a head everywhere', q, { head: 2, set: randomValues(rows * headDim, 9) }],
  ['add values for each head of one position', q, { position: 0, add: randomValues(nHead * headDim, 9) }],
  ['set a row of attention', pattern, { head: 1, position: 3, set: [0.1, 0.2, 0.3, 0.4, 0] }],
  ['set all attention', pattern, { set: randomValues(nHead * rows * rows, 9) }],
  ['set a head of attention', pattern, { head: 0, set: randomValues(rows * rows, 9) }],
];

describe.each(all)('edits on $name', (backend) => {
  test.each(cases)('%s', async (_, tensor, change) => {
    const before = await edited(backend, { name: tensor.name });
    const found = await edited(backend, { name: tensor.name, ...change });
    const after = expected(
      before,
      { name: tensor.name, ...change },
      tensor.shape,
      tensor.positionAxis,
      tensor.headAxis,
    );
    expectClose(found, after, { absolute: 1e-6 }, tensor.name);
  });
});

test('texts of all lengths, positions and heads are edited by the same pipelines', async () => {
  const device = await (await (await testGpu()).requestAdapter())!.requestDevice();
  const counting = countingDevice(device);
  const backend = createGpuBackend(counting.device, { owned: true });
  const over = async (length: number, edit: Omit<Edit, 'name'>) => {
    const mini = new MiniPlan(rows);
    mini.source('cache', { nHead, headDim, axis: 'context' });
    mini.input('q', randomValues(rows * nHead * headDim, 2), nHead, headDim);
    mini.step({ op: 'cacheAppend', k: 'q', v: 'q', source: 'cache' });
    const scores = mini.tensor('scores', nHead, 'rows', 'context');
    mini.step({ op: 'attentionScores', q: 'q', source: 'cache', scale: 1, output: scores });
    const change = (plan: Plan) => withEdits(plan, [{ name: 'scores', ...edit }], length);
    await mini.run(backend, ['scores'], { change });
    return counting.counts.pipelines;
  };
  const first = await over(2, { set: randomValues(2 * nHead, 1) });
  expect(first).toBeGreaterThan(0);
  expect(await over(3, { set: randomValues(3 * nHead, 1) })).toBe(first);
  expect(await over(4, { head: [0, 2], position: [3, 1], set: randomValues(16, 1) })).toBe(first);
  expect(await over(5, { position: 1, set: 1 })).toBe(first);
  backend.dispose();
});
