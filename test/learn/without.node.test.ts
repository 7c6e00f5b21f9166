import { describe, expect, it } from 'vitest';
import type { Encoder, Model } from '../../src/index.ts';
import { gradients, type LeftOut } from '../../src/learn/index.ts';
import { openLearner } from './models.ts';

const cases: LeftOut[][] = [['residuals'], ['norms'], ['residuals', 'norms']];
const ids = [5, 9, 3, 17];

describe.each([
  // Without its norms this one's numbers are too large for differences in float32.
  { name: 'tiny-gpt2', embed: 'hook_embed', some: cases.slice(0, 1) },
  { name: 'gpt-neox', embed: 'hook_embed', some: cases },
  { name: 'llama-gqa', embed: 'hook_embed', some: cases },
  { name: 'bert-mlm', embed: 'embed.hook_embed', some: cases },
])('$name', ({ name, embed, some }) => {
  it.each(some.map((one) => [one]))('a gradient without %j is the slope of the loss without them', async (without) => {
    const model = (await openLearner(name)) as Model | Encoder;
    const input = name === 'bert-mlm' ? { ids } : ids;
    const loss = { logit: 7, position: 2, minus: 3 };
    const found = await gradients(model, input, { loss, wrt: [embed, 'blocks.1.hook_resid_pre'], without });
    const whole = await gradients(model, input, { loss, wrt: [embed] });
    expect(Math.abs(found.loss - whole.loss)).toBeGreaterThan(1e-4);
    expect(found.get('blocks.1.hook_resid_pre').shape).toEqual(found.get(embed).shape);
    const values = (await (model as Model).trace(input as number[], { capture: [embed] })).get(embed)!.data;
    const gradient = found.get(embed).data;
    const most = gradient.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    for (const at of [0, 5, values.length - 3 * model.config.nEmbd]) {
      const lossAt = async (value: number) => {
        const set = values.slice();
        set[at] = value;
        return (await gradients(model, input, { loss, wrt: [embed], without, edits: [{ name: embed, set }] })).loss;
      };
      const h = 2e-3 * Math.max(0.05, Math.abs(values[at]!));
      const slope = ((await lossAt(values[at]! + h)) - (await lossAt(values[at]! - h))) / (2 * h);
      expect(Math.abs(gradient[at]! - slope)).toBeLessThan(0.03 * most + (3e-7 * Math.abs(found.loss)) / h);
    }
    model.dispose();
  });
});

it('knows no other parts', async () => {
  const model = (await openLearner('tiny-gpt2')) as Model;
  const options = { loss: 'next-token' as const, wrt: ['hook_embed'], without: ['attention'] as unknown as LeftOut[] };
  await expect(gradients(model, ids, options)).rejects.toMatchObject({ code: 'bad-option' });
  model.dispose();
});
