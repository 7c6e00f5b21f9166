import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folderStore, models } from '../../src/index.ts';
import { loadAdapter } from '../../src/learn/index.ts';
import { load } from '../../src/run/load.ts';
import { loadEncoder } from '../../src/run/loaders.ts';
import { expectClose } from '../close.ts';
import { adaptersOf, expectedLogits, firstIds, fixtureAdapter, learners, openLearner } from './adapter-fixtures.ts';

const close = { absolute: 5e-4 };

test('an adapter is saved under a name, listed, read again and deleted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitrine-adapters-'));
  const cache = folderStore(folder);
  const adapter = await fixtureAdapter('tiny-gpt2', 'tied-head');
  await adapter.save('my style', cache);
  await adapter.save('my style', cache);
  const [listed, ...others] = await models.list(cache);
  expect(others).toEqual([]);
  expect(listed).toMatchObject({ name: 'my style', complete: true });
  expect(listed!.bytes).toBeGreaterThan(390_000);
  const again = await loadAdapter({ saved: 'my style' }, { cache });
  expect(again.content.tensors).toEqual(adapter.content.tensors);
  const { model, logits } = await openLearner('tiny-gpt2', { adapter: again });
  expectClose(await logits(), (await expectedLogits('tiny-gpt2')).get('tied-head')!, close, 'saved');
  model.dispose();
  expect(await models.delete('my style', cache)).toBe(true);
  await expect(loadAdapter({ saved: 'my style' }, { cache })).rejects.toMatchObject({ code: 'bad-checkpoint' });
  await expect(adapter.save('', cache)).rejects.toMatchObject({ code: 'bad-option' });
  rmSync(folder, { recursive: true });
});

test.each(learners)('%s: merged into its base, each adapter gives a whole model', async (name) => {
  const expected = await expectedLogits(name);
  const ids = await firstIds(name);
  const { model } = await openLearner(name);
  await expect((await fixtureAdapter(name, 'end')).merge()).rejects.toMatchObject({ code: 'bad-option' });
  for (const one of adaptersOf[name]) {
    const adapter = await fixtureAdapter(name, one);
    await model.setAdapter(adapter);
    const files = Object.entries(await adapter.merge()).map(([file, bytes]) => new File([bytes], file));
    if (name === 'bert-seqcls') {
      const whole = await loadEncoder(files, { device: 'cpu' });
      expectClose((await whole.run([{ ids }])).logits![0]!.data, expected.get(one)!, close, one);
      whole.dispose();
    } else {
      const whole = await load(files, { device: 'cpu' });
      expectClose((await whole.logits(ids)).data, expected.get(one)!, close, one);
      whole.dispose();
    }
  }
  model.dispose();
});
