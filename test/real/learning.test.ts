import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadEncoder } from '../../src/index.ts';
import { train } from '../../src/learn/index.ts';
import type { TrainOptions } from '../../src/learn/options.ts';
import { folderOf, isThere, minilm } from './models.ts';

interface Message {
  text: string;
  label: string;
}

/** Short messages of three kinds: 24 to learn from, 36 to judge by. */
const messages = JSON.parse(readFileSync(new URL('../fixtures/real/messages.json', import.meta.url), 'utf8')) as Record<
  'train' | 'test',
  Message[]
>;

/** The share of messages that are told apart after a run, as the mean of three seeds. */
async function rightAfter(options: TrainOptions): Promise<number> {
  let right = 0;
  for (const seed of [1, 2, 3]) {
    const encoder = await loadEncoder(folderOf(minilm), { device: 'wasm', dtype: 'f32' });
    for await (const { loss } of train(encoder, messages.train, { ...options, seed })) expect(loss).toBeGreaterThan(0);
    const found = await encoder.classify(messages.test.map(({ text }) => text));
    right += messages.test.filter(({ label }, i) => found[i]![0]!.label === label).length;
    encoder.dispose();
  }
  return right / 3 / messages.test.length;
}

describe.skipIf(!isThere(minilm))('all-MiniLM-L6-v2 learns kinds of messages', () => {
  test('by a head on its embeddings: 75 %', async () => {
    expect(await rightAfter({ method: 'head', learningRate: 0.1, steps: 150, batchSize: 24 })).toBeGreaterThan(0.75);
  });

  test('by LoRA: 89 %', async () => {
    const options = { rank: 8, alpha: 16, epochs: 12, batchSize: 8, learningRate: 1e-3, schedule: 'constant' } as const;
    expect(await rightAfter(options)).toBeGreaterThan(0.89);
  });
});
