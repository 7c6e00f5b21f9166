import { expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import { partsOf } from '../../src/gpu/weights.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { expectClose } from '../close.ts';
import { isFull } from '../full.ts';
import { MiniPlan, randomValues } from '../ops/mini-plan.ts';
import { limitedDevice, testParts } from './split-case.ts';

testParts(['q8']);

test('a table of positions larger than the binding limit comes in parts', async () => {
  const [words, positions, width] = [20, 200, 64];
  const embedded = async (backend: Backend) => {
    const rows = [0, 63, 64, 65, 127, 128, 191, 192, 199].map((position) => ({
      token: position % 20,
      position,
      slot: 0,
    }));
    const plan = new MiniPlan(rows.length);
    const weight = plan.matrix('words', words, width, randomValues(words * width, 1), 'f32');
    const table = plan.matrix('positions', positions, width, randomValues(positions * width, 2), 'f32');
    plan.step({ op: 'embed', tables: [{ weight, by: 'token' }], output: plan.tensor('word', 'rows', width) });
    plan.step({
      op: 'embed',
      tables: [{ weight: table, by: 'position' }],
      output: plan.tensor('position', 'rows', width),
    });
    plan.step({ op: 'binary', kind: 'add', a: 'word', b: 'position', output: plan.tensor('sum', 'rows', width) });
    const { captured } = await plan.run(backend, ['sum'], { rows, context: positions });
    backend.dispose();
    return captured.get('sum')!;
  };
  const found = await embedded(createGpuBackend(await limitedDevice(64 * width * 4)));
  expectClose(found, await embedded(createCpuBackend()), { absolute: 1e-6 }, 'sum');
});

test.each([
  [154_389_504, [50257]],
  [154_389_503, [50256, 1]],
  [2 ** 27, [43688, 6569]],
])('GPT-2 small’s words in f32 where %i bytes can be bound', (limit, rows) => {
  const device = { limits: { maxStorageBufferBindingSize: limit, maxBufferSize: 2 ** 28 } } as GPUDevice;
  const words = { name: 'wte.weight', kind: 'matrix', rows: 50257, columns: 768, storedTransposed: false } as const;
  expect(partsOf(device, words, 'f32').map((part) => part.rows)).toEqual(rows);
});

// Software runs so many workgroups for seconds.
test.runIf(isFull)('more outputs than one dispatch has workgroups for', async () => {
  const outputs = 131_080;
  const product = async (backend: Backend) => {
    const plan = new MiniPlan(1);
    const input = plan.input('x', randomValues(8, 1), 8);
    const weight = plan.matrix('weight', outputs, 8, randomValues(outputs * 8, 2), 'f32');
    plan.step({ op: 'linear', input, weight, outputs: [plan.tensor('product', 'rows', outputs)] });
    const { captured } = await plan.run(backend, ['product']);
    backend.dispose();
    return captured.get('product')!;
  };
  const device = await limitedDevice(2 ** 27);
  const found = await product(createGpuBackend(device, { variants: { row: 'lanes64' } }));
  expectClose(found, await product(createCpuBackend()), { absolute: 1e-5 }, 'product');
});
