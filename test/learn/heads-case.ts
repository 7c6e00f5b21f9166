import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { load, loadEncoder, loadVision } from '../../src/index.ts';
import { type Example, loadAdapter, type Step, type TrainOptions, train } from '../../src/learn/index.ts';
import type { Near } from '../../src/learn/inside.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { sharedDevice } from '../backends.ts';

interface Case {
  model: string;
  method: 'head' | 'lora' | 'full';
  learningRate: number;
  adapter?: string;
  /** The model's own head is learnt, and none made. */
  own: boolean;
  data: { ids?: number[]; pixels?: number[]; shape?: number[]; label?: number; start?: number; end?: number }[];
  log: { loss: number; gradNorm: number; learningRate: number }[];
}

const fixtures = new URL('../fixtures/', import.meta.url);

/** Runs as tools/fixtures/heads.py has them of PyTorch. */
export const headCases = JSON.parse(
  readFileSync(new URL('learning-seeded/heads.json', fixtures), 'utf8'),
) as readonly Case[];

export const labels = ['one', 'two', 'three'];

/** A case's examples; classes by their names, as a head that is made has them. */
export const examplesOf = ({ data, own }: Case): Example[] =>
  data.map(({ pixels, label, ...one }) => ({
    ...one,
    ...(pixels && { pixels: Float32Array.from(pixels) }),
    ...(label !== undefined && { label: own ? label : labels[label]! }),
  })) as Example[];

/** The model of a case. */
export async function openCase({ model, data: [first] }: Case, device: Backend['kind']): Promise<Near> {
  const open = first!.pixels ? loadVision : first!.start !== undefined ? loadEncoder : load;
  return open(new URL(`${model}/`, fixtures), { device: device === 'webgpu' ? await sharedDevice() : device });
}

export async function optionsOf({ method, learningRate, adapter, own, log }: Case): Promise<TrainOptions> {
  return {
    ...{ method, learningRate, batchSize: 2, steps: log.length, shuffle: false },
    ...(!own && { labels }),
    ...(adapter && { resume: await loadAdapter(new URL(adapter, fixtures)) }),
  };
}

/** Holds losses, gradients' norms and rates against PyTorch's in float64. */
export function testHeads(device: Backend['kind'], cases: readonly Case[] = headCases): void {
  describe(`heads on ${device}`, () => {
    it.each(cases.map((one) => [one.model, one.method, one] as const))('%s, %s: as PyTorch', async (_, __, one) => {
      const times = device === 'cpu' ? 1 : 5; // sums in float32 may be five times as far off
      const model = await openCase(one, device);
      const steps: Step[] = [];
      for await (const step of train(model, examplesOf(one), await optionsOf(one))) steps.push(step);
      expect(steps.length).toBe(one.log.length);
      for (const [i, { loss, gradNorm, learningRate }] of one.log.entries()) {
        const found = steps[i]!;
        expect(Math.abs(found.loss / loss - 1), `loss of step ${i}: ${found.loss} for ${loss}`).toBeLessThan(
          1e-4 * times,
        );
        const norms = `norm of step ${i}: ${found.gradNorm} for ${gradNorm}`;
        expect(Math.abs(found.gradNorm / gradNorm - 1), norms).toBeLessThan(1e-3 * times);
        expect(Math.abs(found.learningRate / learningRate - 1)).toBeLessThan(1e-12);
      }
      model.dispose();
    });
  });
}
