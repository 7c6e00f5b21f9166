import { expect, test } from 'vitest';
import type { Progress } from '../../src/load/checkpoint.ts';
import { heard } from '../../src/load/heard.ts';

const word = (loaded: number): Progress => ({ stage: 'weights', file: 'model.safetensors', loaded, total: 9 });

test('words that come at once wait for each other’s promises; after one that is rejected none is told', async () => {
  const told: number[] = [];
  const reason = new Error('of the caller');
  const { onProgress, signal } = heard(async ({ loaded }) => {
    told.push(loaded);
    await Promise.resolve();
    if (loaded === 2) throw reason;
  }, undefined);
  for (const loaded of [1, 2, 3, 4]) onProgress!(word(loaded));
  await new Promise((resolve) => signal!.addEventListener('abort', resolve));
  await new Promise((resolve) => setTimeout(resolve));
  expect(signal!.reason).toBe(reason);
  expect(told).toEqual([1, 2]);
});
