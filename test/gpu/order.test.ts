import { expect, test } from 'vitest';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import type { Batch } from '../../src/plan/backend.ts';
import { deviceWith, sharedDevice } from '../backends.ts';
import { openOn } from '../model/opened.ts';

const ids = [506, 221, 999, 0, 334, 667, 333, 666];
const judged: Batch = {
  rows: ids.map((token, position) => ({ token, position, slot: 0 })),
  logitRows: [6, 7],
  targets: [666, 5],
};
const plain: Batch = { rows: [{ token: 7, position: 8, slot: 0 }], logitRows: [0] };
const size = { slots: 3, context: 16, rows: 8, logitRows: 8 };

test('runs asked for at once run in that order: the first judged one compiles, and nothing overtakes it', async () => {
  const { plan, backend } = await openOn(createGpuBackend(await sharedDevice()), 'tiny-gpt2', 'model.safetensors');
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
  const device = deviceWith(await sharedDevice(), { adapterInfo: undefined as never });
  const { plan, backend } = await openOn(createGpuBackend(device), 'tiny-gpt2', 'model.safetensors');
  const { logits } = await (await backend.program(plan, { ...size, rows: 1 })).run(plain);
  expect(logits.length).toBe(plan.vocabSize);
  backend.dispose();
});
