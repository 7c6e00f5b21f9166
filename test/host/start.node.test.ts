import { afterEach, describe, expect, test, vi } from 'vitest';
import { NotStarted, startFirst } from '../../src/host/start.ts';
import type { Thread, Way } from '../../src/host/worker.ts';
import { within } from '../../src/plan/patience.ts';

/** A worker that does what it is told to: speaks, fails, or is silent. */
function wayThat(url: string, act: (thread: Thread) => void) {
  const thread: Thread = { postMessage() {}, terminate: vi.fn(), onmessage: null, onerror: null };
  const open = vi.fn(() => {
    setTimeout(() => act(thread), 0);
    return thread;
  });
  return { url, thread, open } satisfies Way & { thread: Thread };
}

const speak = (thread: Thread) => thread.onmessage?.({ data: 'here' } as MessageEvent);
const fail = (thread: Thread) => thread.onerror?.({ message: 'is broken', preventDefault() {} } as ErrorEvent);
const silent = () => {};

const heard = (thread: Thread) =>
  new Promise<void>((resolve) => {
    thread.onmessage = () => resolve();
  });

const patience = { patience: 20, silence: 40 };

describe('startFirst', () => {
  test('takes the first way that begins, and tries no other', async () => {
    const ways = [wayThat('a', speak), wayThat('b', speak)];
    expect(await startFirst({ ways }, heard)).toMatchObject({ thread: ways[0]!.thread, way: { url: 'a' } });
    expect(ways[1]!.open).not.toHaveBeenCalled();
    expect(ways[0]!.thread.terminate).not.toHaveBeenCalled();
  });

  test('goes on at once when a way fails, also where it cannot be opened at all', async () => {
    const closed: Way = {
      url: 'closed',
      open() {
        throw new Error('not from here');
      },
    };
    const ways = [closed, wayThat('a', fail), wayThat('b', speak)];
    const forHours = { patience: 1e7, silence: 1e7 }; // whoever waited would not end
    expect((await startFirst({ ways }, heard, forHours)).way.url).toBe('b');
    expect((ways[1] as ReturnType<typeof wayThat>).thread.terminate).toHaveBeenCalled();
  });

  test('goes on when a way is silent, and ends it when another has begun', async () => {
    const ways = [wayThat('a', silent), wayThat('b', speak)];
    expect((await startFirst({ ways }, heard, patience)).way.url).toBe('b');
    expect(ways[0]!.thread.terminate).toHaveBeenCalled();
  });

  test('a way that was only slow may still be the first', async () => {
    const slow = wayThat('slow', silent);
    const later = wayThat('later', () => speak(slow.thread));
    expect((await startFirst({ ways: [slow, later] }, heard, patience)).way.url).toBe('slow');
    expect(later.thread.terminate).toHaveBeenCalled();
  });

  test('names every way and why it failed', async () => {
    const ways = [wayThat('a', fail), wayThat('b', silent)];
    const error = await startFirst({ ways }, heard, patience).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NotStarted);
    expect((error as Error).message).toBe('a is broken; b has not answered for 0.04 s');
    for (const { thread } of ways) expect(thread.terminate).toHaveBeenCalled();
    await expect(startFirst({ ways: [] }, heard)).rejects.toThrow('its script has no address here');
  });

  test("rejects with the signal's reason, and leaves no worker behind", async () => {
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const way = wayThat('a', () => controller.abort(reason));
    await expect(startFirst({ ways: [way] }, heard, { signal: controller.signal })).rejects.toBe(reason);
    expect(way.thread.terminate).toHaveBeenCalled();
    const other = wayThat('b', speak);
    await expect(startFirst({ ways: [other] }, heard, { signal: controller.signal })).rejects.toBe(reason);
    expect(other.open).not.toHaveBeenCalled();
  });
});

describe('within', () => {
  afterEach(() => vi.useRealTimers());

  test('rejects when nothing has come of it for so long', async () => {
    vi.useFakeTimers();
    const late = expect(within(10_000, new Promise(() => {}), 'nothing has come of it')).rejects.toThrow(
      'nothing has come of it for 10 s',
    );
    await vi.advanceTimersByTimeAsync(10_000);
    await late;
    expect(await within(10_000, Promise.resolve(3), 'nothing')).toBe(3);
    expect(vi.getTimerCount()).toBe(0);
  });
});
