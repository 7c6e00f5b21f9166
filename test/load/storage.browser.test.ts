import { afterEach, expect, test, vi } from 'vitest';
import { platformStore } from '../../src/load/cache-store.ts';
import { PATIENCE } from '../../src/plan/patience.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const silent = () => new Promise<never>(() => {});

test('storage that does not answer is left for the next, and at last for none', async () => {
  vi.useFakeTimers();
  vi.spyOn(navigator.storage, 'getDirectory').mockImplementation(silent);
  const first = platformStore();
  await vi.advanceTimersByTimeAsync(PATIENCE);
  expect(await first).toBeDefined();
  vi.spyOn(caches, 'open').mockImplementation(silent);
  const second = platformStore();
  await vi.advanceTimersByTimeAsync(PATIENCE);
  await vi.advanceTimersByTimeAsync(PATIENCE);
  expect(await second).toBeUndefined();
});
