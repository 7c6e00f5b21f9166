import { describe, expect, test } from 'vitest';
import { backends, openedOnce, type TestBackend, webgpuWorkgroups } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

const [reference, ...others] = [...backends, webgpuWorkgroups].map(openedOnce) as [TestBackend, ...TestBackend[]];

const [nIn, nOut] = [37, 41];
const names = ['product', 'active', 'gated', 'sum'];

/** x -> linear -> silu -> * gate -> + residual */
function gatedPlan(rows: number, logits = false): MiniPlan {
  const plan = new MiniPlan(rows);
  const x = plan.input('x', randomValues(rows * nIn, 1, 3), nIn);
  const gate = plan.input('gate', randomValues(rows * nOut, 2, 3), nOut);
  const residual = plan.input('residual', randomValues(rows * nOut, 3, 3), nOut);
  const weight = plan.matrix('weight', nOut, nIn, randomValues(nOut * nIn, 4, 0.2), 'f32');
  const bias = plan.vector('bias', randomValues(nOut, 5));
  const axis = logits ? 'logitRows' : 'rows';
  const chosen = (input: string, width: number) => {
    if (!logits) return input;
    const output = plan.tensor(`selected ${input}`, 'logitRows', width);
    plan.step({ op: 'selectRows', input, output });
    return output;
  };
  const [from, factor, addend] = [chosen(x, nIn), chosen(gate, nOut), chosen(residual, nOut)];
  for (const name of names) plan.tensor(name, axis, nOut);
  plan.step({ op: 'linear', input: from, weight, bias, outputs: ['product'] });
  plan.step({ op: 'activation', kind: 'silu', input: 'product', output: 'active' });
  plan.step({ op: 'binary', kind: 'multiply', a: factor, b: 'active', output: 'gated' });
  plan.step({ op: 'binary', kind: 'add', a: addend, b: 'gated', output: 'sum' });
  return plan;
}

describe.each(others)('products and sums on $name equal the CPU reference', (backend) => {
  test.each([1, 70])('%i rows: a gate, and a gate with a residual, apart and fused', async (rows) => {
    const run = async (on: TestBackend, capture: string[]) =>
      (await gatedPlan(rows).run(await on.open(), capture)).captured;
    const expected = await run(reference, names);
    for (const capture of [names, ['gated'], ['sum'], ['product', 'sum'], ['gated', 'sum']]) {
      const found = await run(backend, capture);
      for (const name of capture) {
        expectClose(found.get(name)!, expected.get(name)!, { relative: 2e-6, absolute: 2e-5 }, `${name} of ${capture}`);
      }
    }
  });

  test('tensors of the logit rows alone', async () => {
    const run = async (on: TestBackend, capture: string[]) =>
      (await gatedPlan(70, true).run(await on.open(), capture, { logitRows: [69, 3, 40] })).captured;
    const expected = await run(reference, names);
    for (const capture of [names, ['sum']]) {
      const found = await run(backend, capture);
      for (const name of capture) {
        expect(found.get(name)!.length).toBe(3 * nOut);
        expectClose(found.get(name)!, expected.get(name)!, { relative: 2e-6, absolute: 2e-5 }, name);
      }
    }
  });
});

test('the reference itself: 3 * 4, and 3 + 4', async () => {
  const plan = new MiniPlan(1);
  const [a, b] = [plan.input('a', Float32Array.of(3), 1), plan.input('b', Float32Array.of(4), 1)];
  plan.step({ op: 'binary', kind: 'multiply', a, b, output: plan.tensor('product', 'rows', 1) });
  plan.step({ op: 'binary', kind: 'add', a, b, output: plan.tensor('sum', 'rows', 1) });
  const { captured } = await plan.run(await reference.open(), ['product', 'sum']);
  expect([captured.get('product')![0], captured.get('sum')![0]]).toEqual([12, 7]);
});
