import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { gradients } from '../../src/learn/index.ts';
import type { Near } from '../../src/learn/inside.ts';
import type { VisionConfig } from '../../src/model/vit.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { expectClose } from '../close.ts';
import { batchOf, learningOf, openLearner, type Tensors, tensorsIn } from './models.ts';

export const folders = readdirSync(new URL('../fixtures/learning', import.meta.url));

const largestOf = (tensors: Tensors): number =>
  [...tensors.values()].reduce((most, { data }) => data.reduce((a, b) => Math.max(a, Math.abs(b)), most), 0);

/** Those of a file's tensors whose names begin so, without that. */
const under = (prefix: string, all: Tensors): Tensors =>
  new Map(
    [...all].flatMap(([name, one]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), one] as const] : [])),
  );

const shapeOf = (model: Near) => {
  const { channels, imageSize } = model.config as VisionConfig;
  return channels === undefined ? undefined : [channels, ...imageSize];
};

/** Holds the gradients of models on a device against PyTorch's in float64; float32 sums may be five times as far off. */
export function testGradients(device: Backend['kind'], names: readonly string[]): void {
  const within = device === 'cpu' ? 1 : 5;
  describe.each(names)(`%s on ${device}`, (name) => {
    const learning = learningOf(name);
    const all = tensorsIn(`learning/${name}/gradients.safetensors`);
    const [weights, tensors] = [under('weight.', all), under('tensor.', all)];
    const opened = (async () => {
      const model = await openLearner(name, device);
      return { model, ...batchOf(learning, shapeOf(model)) };
    })();
    afterAll(async () => (await opened).model.dispose());

    it('gives the gradients of all weights that PyTorch has', async () => {
      const { model, inputs, lossOf } = await opened;
      const found = await gradients(model, inputs, { loss: lossOf(inputs.length), wrt: ['weights:*'] });
      expect(Math.abs(found.loss - learning.loss)).toBeLessThan(within * 2e-4);
      const absolute = within * 1e-7 * largestOf(weights);
      for (const [weight, { data, shape }] of weights) {
        const own = found.get(weight);
        expect(own.shape, weight).toEqual(shape);
        expectClose(own.data, data, { relative: within * 5e-5, absolute }, weight);
      }
      expect(found.names.length).toBe(weights.size);
    });

    it.runIf(tensors.size > 0)('gives the gradients of inner tensors', async () => {
      const { model, inputs, lossOf } = await opened;
      const wrt = [...tensors.keys()];
      const found = await gradients(model, inputs[0], { loss: lossOf(1), wrt });
      expect(Math.abs(found.loss - learning.first.loss)).toBeLessThan(within * 2e-4);
      const absolute = within * 1e-7 * largestOf(tensors);
      for (const [tensor, { data }] of tensors) {
        expectClose(found.get(tensor).data, data, { relative: within * 5e-5, absolute }, tensor);
      }
    });
  });
}
