import { describe, test } from 'vitest';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import type { WeightFormat } from '../../src/plan/backend.ts';
import { withEdits } from '../../src/plan/edit.ts';
import type { Plan } from '../../src/plan/plan.ts';
import type { TestBackend } from '../backends.ts';
import { backends, deviceWith, isFull, openedOnce, sharedDevice, webgpuVariants } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

const [nIn, nOut] = [37, 41];
const [reference, webgpu, wasm] = backends.map(openedOnce) as [TestBackend, TestBackend, TestBackend];
const names = ['gate', 'up', 'active', 'post', 'sum'];

interface Case {
  rows: number;
  format: WeightFormat;
  bias: boolean;
}

/** x -> norm -> gate and up -> silu(gate) * up -> layer + x, as the MLP of Llama has it. */
function planOf({ rows, format, bias }: Case): MiniPlan {
  const plan = new MiniPlan(rows);
  const x = plan.input('x', randomValues(rows * nIn, 1, 3), nIn);
  const how = { epsilon: 1e-5, centred: false };
  const [scale, normed] = [plan.tensor('scale', 'rows', 1), plan.tensor('normed', 'rows', nIn)];
  plan.step({ op: 'normScale', input: x, output: scale, ...how });
  const by = plan.vector('norm.weight', randomValues(nIn, 2));
  plan.step({ op: 'norm', input: x, scale, output: normed, weight: by, ...how });
  const weight = plan.matrix('both', 2 * nOut, nIn, randomValues(2 * nOut * nIn, 3, 0.3), format);
  const outputs = ['gate', 'up'].map((name) => plan.tensor(name, 'rows', nOut));
  const biases = bias ? { bias: plan.vector('both.bias', randomValues(2 * nOut, 4)) } : {};
  plan.step({ op: 'linear', input: normed, weight, outputs, ...biases });
  const active = plan.tensor('active', 'rows', nOut);
  plan.step({ op: 'activation', kind: 'silu', input: 'gate', output: active });
  plan.step({ op: 'binary', kind: 'multiply', a: active, b: 'up', output: plan.tensor('post', 'rows', nOut) });
  const down = plan.matrix('down', nIn, nOut, randomValues(nIn * nOut, 5, 0.3), 'f32');
  plan.step({ op: 'linear', input: 'post', weight: down, outputs: [plan.tensor('out', 'rows', nIn)] });
  plan.step({ op: 'binary', kind: 'add', a: x, b: 'out', output: plan.tensor('sum', 'rows', nIn) });
  return plan;
}

async function compare(backend: TestBackend, one: Case, capture: string[], change?: (plan: Plan) => Plan) {
  const run = async ({ open }: TestBackend) =>
    (await planOf(one).run(await open(), capture, change ? { change } : {})).captured;
  const [expected, found] = [await run(reference), await run(backend)];
  for (const name of capture) expectClose(found.get(name)!, expected.get(name)!, { absolute: 2e-3 }, name);
}

describe.each([webgpu, wasm])('a gated layer on $name is as on the CPU reference', (backend) => {
  test.each([1, 70])('%i rows: at once, apart, and whatever of it is looked at', async (rows) => {
    const one: Case = { rows, format: 'f32', bias: true };
    const some = isFull || rows === 1 ? [names, ['gate', 'sum'], ['up', 'sum']] : [];
    for (const capture of [['post', 'sum'], ...some]) await compare(backend, one, capture);
  });

  test('whatever of it is edited', async () => {
    for (const name of names) {
      const change = (plan: Plan) => withEdits(plan, [{ name, scale: -1.5 }], 1);
      await compare(backend, { rows: 1, format: 'f32', bias: false }, ['sum'], change);
    }
  });
});

const formats: WeightFormat[] = isFull ? ['f32', 'f16', 'q8', 'q4'] : ['q8'];
describe.each([{ row: 'registers' }, { row: 'quads' }, { row: 'lanes' }, { row: 'lanes64' }] as const)(
  'a gated layer of one row, $row',
  (variants) => {
    const backend = openedOnce(webgpuVariants(variants));
    test.each(formats)('%s', (format) => compare(backend, { rows: 1, format, bias: true }, ['post']));
  },
);

describe.each([{ tile: 'registers' }, { tile: 'quads' }, { tile: 'shared' }] as const)(
  'a gated layer of many rows, $tile',
  (variants) => {
    const backend = openedOnce(webgpuVariants(variants));
    test.each(formats)('%s', (format) => compare(backend, { rows: 70, format, bias: true }, ['post']));
  },
);

test('a gated layer whose weight lies in several buffers is made of two products', async () => {
  const device = await sharedDevice();
  const limits = { ...limitsOf(device), maxStorageBufferBindingSize: 64 * 4 * 70 };
  const small = deviceWith(device, { limits: limits as GPUSupportedLimits });
  const backend = createGpuBackend(small);
  const inParts: TestBackend = { name: 'small bindings', open: async () => backend };
  for (const rows of isFull ? [1, 70] : [1]) await compare(inParts, { rows, format: 'f32', bias: true }, ['post']);
  backend.dispose();
});

/** Limits are getters of a prototype. */
function limitsOf({ limits }: GPUDevice): Record<string, number> {
  const names = ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxComputeWorkgroupsPerDimension'] as const;
  return Object.fromEntries(names.map((name) => [name, limits[name]]));
}
