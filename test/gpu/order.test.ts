import { expect, test } from 'vitest';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import type { Batch } from '../../src/plan/backend.ts';
import { testGpu } from '../backends.ts';
import { openOn } from '../model/opened.ts';

/** A device as `adapter.requestDevice` gives it, some of whose members are replaced. */
async function deviceWith(members: Record<string, unknown>): Promise<GPUDevice> {
  const device = await (await (await testGpu()).requestAdapter())!.requestDevice();
  return new Proxy(device, {
    get(real, key) {
      if (typeof key === 'string' && Object.hasOwn(members, key)) return members[key];
      const value = Reflect.get(real, key, real) as unknown;
      return typeof value === 'function' ? value.bind(real) : value;
    },
  });
}

const ids = [506, 221, 999, 0, 334, 667, 333, 666];
const judged: Batch = {
  rows: ids.map((token, position) => ({ token, position, slot: 0 })),
  logitRows: [6, 7],
  targets: [666, 5],
};
const plain: Batch = { rows: [{ token: 7, position: 8, slot: 0 }], logitRows: [0] };
const size = { slots: 3, context: 16, rows: 8, logitRows: 8 };

test('runs asked for at once run in that order: the first judged one compiles, and nothing overtakes it', async () => {
  const { plan, backend } = await openOn(createGpuBackend(await deviceWith({})), 'tiny-gpt2', 'model.safetensors');
  const fresh = async () => backend.program(plan, size);
  const one = await fresh();
  const scores = (await one.run(judged)).scores;
  const expected = (await one.run(plain)).logits;
  await one.copySlots([{ from: 0, to: 1 }], 9);

  const other = await fresh();
  const answers = [
    other.run(judged),
    other.run(plain),
    other.copySlots([{ from: 0, to: 2 }], 8),
    other.run({ ...plain, rows: [{ token: 7, position: 8, slot: 2 }] }),
  ] as const;
  expect((await answers[0]).scores).toEqual(scores);
  expect((await answers[1]).logits).toEqual(expected);
  expect((await answers[3]).logits).toEqual(expected);
  backend.dispose();
});

test('a device that says nothing of its adapter is as good', async () => {
  const device = await deviceWith({ adapterInfo: undefined });
  const { plan, backend } = await openOn(createGpuBackend(device), 'tiny-gpt2', 'model.safetensors');
  const { logits } = await (await backend.program(plan, { ...size, rows: 1 })).run(plain);
  expect(logits.length).toBe(plan.vocabSize);
  backend.dispose();
});
