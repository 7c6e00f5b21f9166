import { expect, test } from 'vitest';
import { countingDevice } from '../../bench/counting-device.ts';
import { train } from '../../src/learn/index.ts';
import { load } from '../../src/run/load.ts';
import { isFull, sharedDevice } from '../backends.ts';
import { fixtureFiles } from '../run/models.ts';

test('a step of LoRA is few dispatches, and no pipeline is compiled after the first', async () => {
  const { device, counts, reset, liveBuffers } = countingDevice(await sharedDevice());
  const model = await load(await fixtureFiles('tiny-gpt2'), { device });
  const data = [{ ids: [5, 6, 7, 8, 9] }, { ids: [11, 12, 13] }];
  // A software GPU compiles the kernels of each way anew.
  for (const [recompute, most] of [[false, 182] as const, ...(isFull ? [[true, 229] as const] : [])]) {
    const run = train(model, data, { rank: 4, batchSize: 2, steps: 3, recompute });
    await run.next();
    const buffers = liveBuffers.size;
    reset();
    await run.next();
    expect(counts.dispatches).toBeLessThanOrEqual(most);
    expect(counts.pipelines).toBe(0);
    expect(liveBuffers.size).toBe(buffers);
    await run.return();
    await model.setAdapter(null);
  }
  model.dispose();
});
