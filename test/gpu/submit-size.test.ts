import { expect, test } from 'vitest';
import { SubmitSize } from '../../src/gpu/submit-size.ts';

/** A GPU that takes so long for a token; its answers are seen after a while, or at ticks. */
interface Simulated {
  tokenMs: number;
  answerMs?: number;
  tickMs?: number;
}

/** Generates tokens as the decoder does, two submits in flight, by a clock of its own; gives the tokens of each submit. */
function generate({ tokenMs, answerMs = 0, tickMs = 0 }: Simulated, limit = 400) {
  const size = new SubmitSize();
  const counts: number[] = [];
  const inFlight: { count: number; told: number; start: number; seen: number }[] = [];
  let now = 0;
  let free = 0;
  for (let made = 0; made < limit; ) {
    while (inFlight.length < 2) {
      const told = inFlight.reduce((sum, { count }) => sum + count, 0) + size.tokens;
      free = Math.max(free, now) + size.tokens * tokenMs;
      const seen = tickMs ? Math.ceil((free + 1e-9) / tickMs) * tickMs : free + answerMs;
      inFlight.push({ count: size.tokens, told, start: now, seen });
      counts.push(size.tokens);
    }
    const { count, told, start, seen } = inFlight.shift()!;
    now = Math.max(now, seen);
    size.ended(told, seen - start);
    made += count;
  }
  return { counts, steady: counts.slice(-8), perSecond: (1000 * limit) / now };
}

test.each([
  { tokenMs: 1 },
  { tokenMs: 2, answerMs: 30 },
  { tokenMs: 2, answerMs: 100 },
  { tokenMs: 1, tickMs: 100 },
  { tokenMs: 2.4, tickMs: 100 },
])('%j: submits grow to what they may hold, whenever answers come', (gpu) => {
  expect(Math.max(...generate(gpu).steady)).toBe(16);
});

test('a GPU of 2 ms a token whose answers are seen every 100 ms makes more than 250 tokens a second, not 20', () => {
  expect(generate({ tokenMs: 2, tickMs: 100 }).perSecond).toBeGreaterThan(250);
});

test.each([{ tokenMs: 50 }, { tokenMs: 200 }, { tokenMs: 200, answerMs: 100 }, { tokenMs: 2000, tickMs: 100 }])(
  '%j: a submit holds one token where two would hold up a Stop',
  (gpu) => {
    expect(
      generate(gpu)
        .counts.slice(3)
        .every((count) => count === 1),
    ).toBe(true);
  },
);

test.each([{ tokenMs: 5 }, { tokenMs: 5, answerMs: 20 }])(
  '%j: no submit holds more than 40 ms of work for long',
  (gpu) => {
    const { steady } = generate(gpu);
    expect(Math.max(...steady)).toBeLessThanOrEqual(8);
    expect(Math.max(...steady)).toBeGreaterThan(4);
  },
);

test('a GPU that becomes slower, or faster, gets smaller, or larger, submits', () => {
  const size = new SubmitSize();
  const ends = (tokenMs: number, times: number) => {
    for (let i = 0; i < times; i++) size.ended(2 * size.tokens, 10 + 2 * size.tokens * tokenMs);
    return size.tokens;
  };
  expect(ends(1, 8)).toBe(16);
  expect(ends(20, 8)).toBe(2);
  expect(ends(1, 8)).toBe(16);
});
