import { expect, it } from 'vitest';
import type { Model } from '../../src/index.ts';
import { gradients, loadAdapter } from '../../src/learn/index.ts';
import { folders, testGradients } from './gradient-case.ts';
import { openLearner } from './models.ts';

testGradients('cpu', folders);
testGradients('wasm', folders);

it.each([
  ['tiny-gpt2', [136, 131, 797, 500]],
  ['llama-gqa', [245, 289, 238]],
])('with an adapter on %s the gradient is that of the adapted model', async (name, ids) => {
  const model = (await openLearner(name)) as Model;
  await model.setAdapter(
    await loadAdapter(new URL(`../fixtures/learning/${name}/adapter-all-linear`, import.meta.url)),
  );
  const tensor = 'blocks.0.hook_resid_post';
  const loss = { logit: 7 };
  const { get } = await gradients(model, ids, { loss, wrt: [tensor] }).then((found) => ({ get: found.get(tensor) }));
  const direction = get.data.map((value) => value / Math.hypot(...get.data));
  const logit = async (step: number) => {
    const edits = [{ name: tensor, add: direction.map((value) => value * step) }];
    return (await gradients(model, ids, { loss, wrt: [tensor], edits })).loss;
  };
  const slope = ((await logit(1e-3)) - (await logit(-1e-3))) / 2e-3;
  expect(Math.abs(slope / Math.hypot(...get.data) - 1)).toBeLessThan(2e-3);
  model.dispose();
});
