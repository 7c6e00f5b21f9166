import { expect, test } from 'vitest';
import type { Backend } from '../../src/plan/backend.ts';
import type { AddedWeight, Plan, WeightSpec } from '../../src/plan/plan.ts';
import { newTask } from '../../src/plan/task.ts';
import { AddedWeights } from '../../src/run/added-weights.ts';

test('where a device has no room for all that an adapter adds, none of it stays', async () => {
  const there: string[] = [];
  let full = true;
  const backend = {
    async addWeight({ name }: WeightSpec) {
      if (name === 'second' && full) throw new Error('no room');
      if (name === 'third') await newTask(); // still on its way when the second one fails
      there.push(name);
    },
    removeWeights: (names: readonly string[]) =>
      there.splice(0, Infinity, ...there.filter((one) => !names.includes(one))),
  } as unknown as Backend;
  const added = ['first', 'second', 'third'].map((name) => ({ spec: { name }, values: new Float32Array(1) }));
  const plan = { added: added as AddedWeight[] } as unknown as Plan;
  const weights = new AddedWeights();
  weights.hold(plan);
  await expect(weights.bring(plan, backend)).rejects.toThrow('no room');
  await newTask();
  expect(there).toEqual([]);
  full = false;
  await weights.bring(plan, backend);
  expect(there.sort()).toEqual(['first', 'second', 'third']);
  weights.release(plan, backend);
  await newTask();
  expect(there).toEqual([]);
});
