import { expect, it } from 'vitest';
import type { Model } from '../../src/index.ts';
import { gradients, loadAdapter } from '../../src/learn/index.ts';
import { expectClose } from '../close.ts';
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

it.each([
  ['tiny-gpt2', [136, 131, 797, 500], 'blocks.'],
  ['bart', { source: [4, 9, 12, 2], target: [7, 8, 2] }, 'encoder.'],
] as const)(
  'of %s is the same where blocks are made again on the way back, edited ones too',
  async (name, input, first) => {
    for (const device of ['cpu', 'wasm'] as const) {
      const model = (await openLearner(name, device)) as Model;
      const edits = [
        { name: `${first}0.hook_resid_pre`, scale: 1.5 },
        { name: `${first}0.mlp.hook_post`, scale: 0.5 },
        { name: `${first}1.attn.hook_pattern`, position: 1, scale: 2 },
        { name: `${first}1.ln1.hook_scale`, scale: 1.1 },
        { name: `${first}1.hook_resid_post`, set: 0.25, position: 0 },
      ];
      const wrt = [`${first}*.hook_resid_pre`, `${first}0.mlp.hook_post`, 'weights:*'];
      const options = { loss: 'next-token', wrt, edits } as const;
      const [kept, again] = [
        await gradients(model, input, { ...options, recompute: false }),
        await gradients(model, input, { ...options, recompute: true }),
      ];
      expect(again.loss).toBeCloseTo(kept.loss, 5);
      expect(again.names).toEqual(kept.names);
      const relative = device === 'cpu' ? 0 : 1e-5;
      for (const one of kept.names)
        expectClose(again.get(one).data, kept.get(one).data, { relative, absolute: relative }, one);
      model.dispose();
    }
  },
);
