import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Diverged, type Example, loadAdapter, type Step, train } from '../../src/learn/index.ts';
import type { TrainOptions } from '../../src/learn/options.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { expectClose } from '../close.ts';
import { openLearner, tensorsIn } from './models.ts';

interface Run {
  learningRate: number;
  log: { loss: number; gradNorm: number; learningRate: number }[];
}

interface Course {
  data: Example[];
  batch: number;
  optimizer: {
    betas: [number, number];
    epsilon: number;
    weightDecay: number;
    maxGradNorm: number;
    warmupSteps: number;
  };
  full: Run;
  lora: Run;
}

const fixtures = new URL('../fixtures/learning/', import.meta.url);
export const courseOf = (name: string) =>
  (JSON.parse(readFileSync(new URL(`${name}/learning.json`, fixtures), 'utf8')) as { training: Course }).training;

/** The settings of a fixture's run. */
const settingsOf = (
  { batch, optimizer: { betas, epsilon, weightDecay, maxGradNorm, warmupSteps } }: Course,
  run: Run,
) => ({
  ...{ betas, epsilon, weightDecay, maxGradNorm, warmupSteps, learningRate: run.learningRate },
  ...{ batchSize: batch, steps: run.log.length, shuffle: false, schedule: 'linear' as const },
});

async function expectRun(name: string, method: 'full' | 'lora', device: Backend['kind']): Promise<void> {
  const times = device === 'cpu' ? 1 : 5; // sums in float32 may be five times as far off
  const course = courseOf(name);
  const run = course[method];
  const model = await openLearner(name, device);
  const resume = method === 'lora' ? await loadAdapter(new URL(`${name}/adapter-start`, fixtures)) : undefined;
  const options: TrainOptions = { method, ...settingsOf(course, run), ...(resume && { resume }) };
  const training = train(model, course.data, options);
  const steps: Step[] = [];
  for await (const step of training) steps.push(step);
  expect(steps.length).toBe(run.log.length);
  for (const [i, { loss, gradNorm, learningRate }] of run.log.entries()) {
    const found = steps[i]!;
    expect(Math.abs(found.loss / loss - 1), `loss of step ${i}: ${found.loss} for ${loss}`).toBeLessThan(1e-4 * times);
    const norms = `norm of step ${i}: ${found.gradNorm} for ${gradNorm}`;
    expect(Math.abs(found.gradNorm / gradNorm - 1), norms).toBeLessThan(1e-3 * times);
    expect(Math.abs(found.learningRate / learningRate - 1)).toBeLessThan(1e-12);
  }
  if (method === 'lora') {
    const end = tensorsIn(`learning/${name}/adapter-end/adapter_model.safetensors`);
    const { tensors } = training.adapter!.content;
    expect([...tensors.keys()].sort()).toEqual([...end.keys()].sort());
    for (const [tensor, { data, shape }] of end) {
      expect(tensors.get(tensor)!.shape, tensor).toEqual(shape);
      expectClose(tensors.get(tensor)!.data, data, { relative: 2e-3 * times }, tensor);
    }
  }
  model.dispose();
}

/** Holds runs on a device against PyTorch's in float64: losses, gradients' norms, rates, and the adapter in the end. */
export function testRuns(device: Backend['kind'], runs: readonly (readonly [name: string, method: 'full' | 'lora'])[]) {
  describe(`training on ${device}`, () => {
    it.each(runs)('%s, %s: has the losses, norms and rates of PyTorch', async (name, method) => {
      await expectRun(name, method, device);
    });
  });
}

/** Of steps that are too large. */
export function testDivergence(device: Backend['kind']) {
  it(`a run on ${device} that diverges tells so, with the last adapter that was finite`, async () => {
    const model = await openLearner('llama-gqa', device);
    const data = [{ ids: [5, 6, 7, 8, 9] }, { ids: [11, 12, 13] }];
    for (const learningRate of [1e30, 1e300]) {
      const how = { batchSize: 2, steps: 30, maxGradNorm: 1e30, schedule: 'constant' } as const;
      const run = train(model, data, { ...how, learningRate, targets: ['q_proj', 'down_proj'] });
      const error = await (async () => {
        for await (const _ of run);
      })().catch((one: unknown) => one);
      expect(error).toBeInstanceOf(Diverged);
      const tensors = [...(error as Diverged).adapter.content.tensors.values()];
      expect(tensors.every(({ data: values }) => values.every(Number.isFinite))).toBe(true);
    }
    model.dispose();
  });
}

export const allRuns = ['tiny-gpt2', 'bert-seqcls', 'llama-gqa'].flatMap((name) =>
  (['lora', 'full'] as const).map((method) => [name, method] as const),
);
