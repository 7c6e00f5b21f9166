import { describe, expect, test } from 'vitest';
import { backends, openedOnce, type TestBackend, webgpuVariants, webgpuWorkgroups } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

const [reference, ...others] = [...backends, webgpuWorkgroups, webgpuVariants({ row: 'registers' })].map(
  openedOnce,
) as [TestBackend, ...TestBackend[]];

interface Case {
  what: string;
  centred: boolean;
  bias: boolean;
}

const cases: Case[] = [
  { what: 'root mean square', centred: false, bias: false },
  { what: 'root mean square with a bias', centred: false, bias: true },
  { what: 'layer norm without a bias', centred: true, bias: false },
];

/** x -> norm -> linear. The mean of x is far from 0, so that it matters whether it is taken off. */
function normPlan(rows: number, { centred, bias }: Case): MiniPlan {
  const [nIn, nOut] = [37, 41];
  const plan = new MiniPlan(rows);
  const x = plan.input(
    'x',
    randomValues(rows * nIn, 1, 3).map((value) => value + 5),
    nIn,
  );
  const norm = {
    weight: plan.vector('norm.weight', randomValues(nIn, 2)),
    ...(bias && { bias: plan.vector('norm.bias', randomValues(nIn, 3)) }),
    ...{ epsilon: 1e-5, centred },
  };
  const weight = plan.matrix('weight', nOut, nIn, randomValues(nOut * nIn, 4, 0.2), 'f32');
  const [scale, normed] = [plan.tensor('scale', 'rows', 1), plan.tensor('normed', 'rows', nIn)];
  plan.step({ op: 'normScale', input: x, output: scale, epsilon: 1e-5, centred });
  plan.step({ op: 'norm', input: x, scale, output: normed, ...norm });
  plan.step({ op: 'linear', input: normed, weight, outputs: [plan.tensor('product', 'rows', nOut)] });
  return plan;
}

describe.each(others)('norms on $name equal the CPU reference', (backend) => {
  describe.each(cases)('$what', (one) => {
    test.each([1, 70])('%i rows, apart and fused', async (rows) => {
      const names = ['scale', 'normed', 'product'];
      const run = async (on: TestBackend, capture: string[]) =>
        (await normPlan(rows, one).run(await on.open(), capture)).captured;
      const [expected, apart, fused] = [
        await run(reference, names),
        await run(backend, names),
        await run(backend, ['product']),
      ];
      const scaleComputed = await run(backend, ['normed']);
      for (const name of names) expectClose(apart.get(name)!, expected.get(name)!, { absolute: 1e-5 }, name);
      expectClose(scaleComputed.get('normed')!, expected.get('normed')!, { absolute: 1e-5 }, 'normed at once');
      expectClose(fused.get('product')!, expected.get('product')!, { absolute: 2e-5 }, 'fused product');
    });
  });
});

test('the reference itself: norms worked out by hand', async () => {
  const run = async (centred: boolean) => {
    const plan = new MiniPlan(1);
    const input = plan.input('x', Float32Array.of(1, 7), 2);
    const weight = plan.vector('weight', Float32Array.of(2, 1));
    const scale = plan.tensor('scale', 'rows', 1);
    plan.step({ op: 'normScale', input, output: scale, epsilon: 0, centred });
    const output = plan.tensor('y', 'rows', 2);
    plan.step({ op: 'norm', input, scale, output, weight, epsilon: 0, centred });
    return (await plan.run(await reference.open(), ['scale', 'y'])).captured;
  };
  const [layer, rms] = [await run(true), await run(false)];
  expect([...layer.get('scale')!, ...layer.get('y')!]).toEqual([3, -2, 1]);
  expectClose([...rms.get('scale')!, ...rms.get('y')!], [5, 0.4, 1.4], { absolute: 1e-6 }, 'root mean square');
});
