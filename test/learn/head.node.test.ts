import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Encoder, loadEncoder } from '../../src/index.ts';
import { type Example, loadAdapter, type Step, train } from '../../src/learn/index.ts';
import type { TrainOptions } from '../../src/learn/options.ts';
import { expectClose } from '../close.ts';

const open = (name: string, adapter?: Record<string, Uint8Array<ArrayBuffer>>) =>
  loadEncoder(new URL(`../fixtures/families/${name}`, import.meta.url), { device: 'cpu', ...(adapter && { adapter }) });

const texts = ['hello world', 'the cat', 'good morning to you', 'a dog and a cat'];
const examples: Example[] = texts.map((text, i) => ({ text, label: i % 2 === 0 ? 'greeting' : 'animal' }));

async function learn(
  model: Encoder,
  options: TrainOptions,
): Promise<{ steps: Step[]; files: Record<string, Uint8Array<ArrayBuffer>> }> {
  const training = train(model, examples, { batchSize: 4, schedule: 'constant', ...options });
  const steps: Step[] = [];
  for await (const step of training) steps.push(step);
  return { steps, files: training.adapter!.files() };
}

const scoresOf = async (model: Encoder) =>
  (await model.classify(texts)).map((list) => list.find(({ label }) => label === 'animal')!.score);

describe.each(['st-mean', 'st-cls'])('%s', (name) => {
  it('learns a head on its embeddings, which classifies, and is loaded again', async () => {
    const model = await open(name);
    const { steps, files } = await learn(model, { method: 'head', learningRate: 0.5, steps: 60 });
    expect(steps[0]!.loss).toBeCloseTo(Math.log(2), 5);
    expect(steps.at(-1)!.loss).toBeLessThan(0.4);
    expect(Object.keys(files).sort()).toEqual(['head.json', 'head.safetensors']);
    const scores = await scoresOf(model);
    expect(scores.map((score) => score > 0.5)).toEqual([false, true, false, true]);
    const again = await open(name);
    await again.setAdapter(await loadAdapter(files));
    expect(await scoresOf(again)).toEqual(scores);
    await again.setAdapter(null);
    await expect(again.classify(texts)).rejects.toMatchObject({ code: 'bad-option' });
    model.dispose();
    again.dispose();
  });

  it('learns products of its layers with a head: the losses that its own embeddings have', async () => {
    const model = await open(name);
    const { steps, files } = await learn(model, { learningRate: 2e-3, steps: 8 });
    expect(steps[0]!.loss).toBeCloseTo(Math.log(2), 5);
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss);
    expect(Object.keys(files).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'head.json',
      'head.safetensors',
    ]);
    // What the model tells with the adapter on is what the run had as the loss of its next step.
    const training = train(model, examples, { batchSize: 4, steps: 1, resume: await loadAdapter(files) });
    const { value } = await training.next();
    const scores = await scoresOf(model);
    const loss = scores.reduce((sum, score, i) => sum - Math.log(i % 2 === 1 ? score : 1 - score), 0) / 4;
    expectClose([loss], [(value as Step).loss], { absolute: 1e-4 });
    await training.return();
    model.dispose();
  });
});

it.each(['cpu', 'wasm'] as const)('classes take the place of a head of masked words, %s', async (device) => {
  const model = await loadEncoder(fileURLToPath(new URL('../../public/models/tiny-blanks/', import.meta.url)), {
    device,
  });
  const labels = ['greeting', 'animal', 'none'];
  const options = { labels, batchSize: 2, steps: 4, learningRate: 2e-3 };
  const judged = await Promise.all(
    (['lora', 'head'] as const).map(async (method) => {
      const training = train(model, examples, { ...options, method, evaluate: examples });
      for await (const { evaluation, step } of training) if (step === 3) return { training, evaluation };
      return undefined;
    }),
  );
  for (const one of judged) {
    const { predicted, accuracy } = one!.evaluation!;
    await model.setAdapter(one!.training.adapter!);
    const best = (await model.classify(texts)).map(([first]) => labels.indexOf(first!.label));
    expect(predicted).toEqual(best);
    const right = best.filter((label, i) => labels[label] === (i % 2 === 0 ? 'greeting' : 'animal')).length;
    expect(accuracy).toBe(right / 4);
  }
  await expect(train(model, examples, {}).next()).rejects.toMatchObject({ code: 'bad-option' });
  model.dispose();
});
