import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { COMPILING, PATIENCE, Queue } from '../../src/plan/patience.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a queue that moves is no failure however long it takes; one that stands still is', async () => {
  const queue = new Queue(COMPILING, 'still');
  const done: (() => void)[] = [];
  const work = Array.from({ length: 4 }, () => queue.within(new Promise<void>((resolve) => done.push(resolve))));
  const failed = vi.fn();
  for (const one of work) one.catch(failed);
  for (const finish of done.slice(0, 3)) {
    await vi.advanceTimersByTimeAsync(COMPILING - 1);
    finish();
    await vi.advanceTimersByTimeAsync(0);
  }
  await Promise.all(work.slice(0, 3));
  await vi.advanceTimersByTimeAsync(COMPILING - 1);
  expect(failed).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(failed).toHaveBeenCalledOnce();
  await expect(work[3]).rejects.toThrow('still for 60 s');
});

test('a queue that was idle begins to be waited for when it is given work', async () => {
  const queue = new Queue(COMPILING, 'still');
  await queue.within(Promise.resolve());
  await vi.advanceTimersByTimeAsync(2 * COMPILING);
  const late = queue.within(new Promise<string>((resolve) => setTimeout(resolve, PATIENCE, 'done')));
  await vi.advanceTimersByTimeAsync(PATIENCE);
  await expect(late).resolves.toBe('done');
});

test('work that fails rejects with its own reason', async () => {
  await expect(new Queue(COMPILING, 'still').within(Promise.reject(new Error('its own')))).rejects.toThrow('its own');
});
