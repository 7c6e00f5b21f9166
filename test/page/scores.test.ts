import { expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import { type AttentionTensors, scoreScale, scoresAt } from '../../src/page/inside/stations/block/scores.ts';

/** Rotary positions and shared keys, scores that are not scaled, and GPT-2's. */
test.each([
  ['families/llama-gqa', 'rot_', 6 ** -0.5],
  ['families/gpt-neo', '', 1],
  ['tiny-gpt2', '', 32 ** -0.5],
])(
  'the products of %s, those that the model skips too, are of its own queries and keys',
  async (folder, turned, wanted) => {
    const model = await load(new URL(`../fixtures/${folder}/`, import.meta.url), { device: 'cpu' });
    const ids = [5, 17, 30, 2, 9];
    const hooks = [`hook_${turned}q`, `hook_${turned}k`, 'hook_attn_scores', 'hook_pattern'];
    const names = hooks.map((hook) => `blocks.0.attn.${hook}`);
    const traced = await model.trace(ids, { capture: names });
    const [q, k, scores, pattern] = names.map((name) => traced.get(name)!);
    const tensors = { q, k, scores, pattern } as AttentionTensors;
    for (let head = 0; head < model.config.nHead; head++) {
      const scale = scoreScale(tensors, head);
      expect(scale).toBeCloseTo(wanted, 4);
      const products = await scoresAt('raw', tensors, head, scale);
      // Below the diagonal they are the model's scores; above it is what the model would have made of them.
      const [, nHead = 0, headDim = 0] = q!.shape;
      const keyHead = Math.floor((head * k!.shape[1]!) / nHead);
      for (const [row, key] of [
        [3, 1],
        [1, 3],
        [0, 4],
      ] as const) {
        let sum = 0;
        for (let d = 0; d < headDim; d++) {
          sum += q!.data[(row * nHead + head) * headDim + d]! * k!.data[(key * k!.shape[1]! + keyHead) * headDim + d]!;
        }
        expect(Math.abs(products[row * ids.length + key]! - sum)).toBeLessThan(1e-3 * Math.max(1, Math.abs(sum)));
      }
    }
    model.dispose();
  },
);
