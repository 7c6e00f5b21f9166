import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { nudged } from '../../src/gpu/nudge.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A device that sees what it has done at ticks, and, where it `looks`, whenever something is submitted. */
function deviceOf({ looks, tickMs }: { looks: boolean; tickMs: number }) {
  const waiting = new Set<{ end: number; settle: () => void }>();
  const see = () => {
    for (const one of waiting) if (one.end <= performance.now() && waiting.delete(one)) one.settle();
  };
  const submits: number[] = [];
  const submit = () => {
    submits.push(performance.now());
    if (looks) see();
  };
  const ticking = setInterval(see, tickMs);
  const device = { queue: { submit } } as unknown as GPUDevice;
  /** Work of so many milliseconds; gives when it was seen to be done. */
  const work = async (ms: number) => {
    const start = performance.now();
    submits.length = 0;
    const done = new Promise<void>((settle) => waiting.add({ end: start + ms, settle }));
    const seen = nudged(device, done).then(() => performance.now() - start);
    await vi.advanceTimersByTimeAsync(2000);
    return { ms: await seen, nudges: submits.length };
  };
  return { work, stop: () => clearInterval(ticking) };
}

test('a device that looks every 100 ms, and at submits, is seen to be done soon, once that is known', async () => {
  const { work, stop } = deviceOf({ looks: true, tickMs: 100 });
  for (let trial = 0; trial < 2; trial++) expect(await work(7)).toMatchObject({ nudges: 1 });
  for (const ms of [1, 7, 30, 90]) {
    const found = await work(ms);
    expect(found.ms, `${ms} ms of work`).toBeLessThanOrEqual(2 * ms + 2);
    expect(found.nudges).toBeLessThanOrEqual(8);
  }
  stop();
});

test('one that looks for itself is nudged no more than three times, ever', async () => {
  const { work, stop } = deviceOf({ looks: false, tickMs: 1 });
  const nudges: number[] = [];
  for (const ms of [10, 49, 70, 80, 500, 600, 700, 90, 1000]) nudges.push((await work(ms)).nudges);
  expect(nudges).toEqual([0, 0, 1, 1, 1, 0, 0, 0, 0]);
  stop();
});

test('what fails is told, and nothing is submitted afterwards', async () => {
  const submit = vi.fn();
  const device = { queue: { submit } } as unknown as GPUDevice;
  await expect(nudged(device, Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  await vi.advanceTimersByTimeAsync(1000);
  expect(submit).not.toHaveBeenCalled();
});
