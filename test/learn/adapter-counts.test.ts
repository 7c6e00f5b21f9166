import { expect, test } from 'vitest';
import { countingDevice } from '../../bench/counting-device.ts';
import { load } from '../../src/run/load.ts';
import { sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { fixtureFiles } from '../run/models.ts';
import { expectedLogits, firstIds, fixtureAdapter } from './adapter-fixtures.ts';

test('an adapter costs a dispatch or two a layer, nothing when it is off, and no pipeline the second time', async () => {
  const { device, counts, reset, liveBuffers } = countingDevice(await sharedDevice());
  const model = await load(await fixtureFiles('tiny-gpt2'), { device });
  const token = async () => {
    await model.logits([1]); // its program is there
    reset();
    await model.logits([2]);
    return { ...counts };
  };
  const base = await token();
  const { bytes } = model.device;
  const buffers = liveBuffers.size;
  await model.setAdapter(await fixtureAdapter('tiny-gpt2', 'all-linear'));
  const layers = 3 * 4;
  const adapted = await token();
  expect(adapted.dispatches).toBeGreaterThan(base.dispatches);
  expect(adapted.dispatches).toBeLessThanOrEqual(base.dispatches + 2 * layers);
  await model.setAdapter(null);
  expect(model.device.bytes).toBe(bytes);
  expect(liveBuffers.size).toBe(buffers);
  expect((await token()).dispatches).toBe(base.dispatches);

  reset();
  const again = await fixtureAdapter('tiny-gpt2', 'all-linear');
  await model.setAdapter(again);
  const ids = await firstIds('tiny-gpt2');
  const { data } = await model.logits(ids);
  expect(counts.pipelines).toBe(0);
  // On this device one adapter stands for others of its rank and modules: they share all pipelines.
  await model.setAdapter([
    [again, 0.5],
    [again, 0.5],
  ]);
  await model.logits(ids);
  expect(counts.pipelines).toBe(0);
  expectClose(data, (await expectedLogits('tiny-gpt2')).get('all-linear')!, { absolute: 5e-4 }, 'logits');
  model.dispose();
});
