import { describe, expect, test } from 'vitest';
import { backends, isFull } from '../backends.ts';
import { expectClose } from '../close.ts';
import { adaptersOf, expectedLogits, fixtureAdapter, learners, openLearner } from './adapter-fixtures.ts';

for (const { name: device } of backends) {
  describe(`adapters on ${device}`, () => {
    // In software a GPU compiles the kernels of each shape for seconds.
    const isShort = device === 'webgpu' && !isFull;
    const models = isShort ? (['tiny-gpt2'] as const) : learners;
    test.each(models)('%s: logits as peft has them with each adapter, and without one again', async (name) => {
      const expected = await expectedLogits(name);
      const { model, logits } = await openLearner(name, { device });
      const close = { absolute: 5e-4 };
      expectClose(await logits(), expected.get('base')!, close, 'base');
      for (const adapter of isShort ? ['all-linear', 'tied-words'] : adaptersOf[name]) {
        await model.setAdapter(await fixtureAdapter(name, adapter));
        expectClose(await logits(), expected.get(adapter)!, close, adapter);
      }
      await model.setAdapter(null);
      expectClose(await logits(), expected.get('base')!, close, 'base again');
      expect(model.device.bytes).toBeGreaterThan(0);
      model.dispose();
    });
  });
}
