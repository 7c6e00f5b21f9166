import { expect } from 'vitest';

export interface Tolerance {
  /** Absolute, and relative to the largest absolute value expected. */
  absolute?: number;
  relative?: number;
}

/** Fails with the index and both values of the worst element. Infinities must be equal. */
export function expectClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  what = '',
): void {
  expect(found.length, `length of ${what}`).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < expected.length; i++)
    if (Number.isFinite(expected[i]!)) largest = Math.max(largest, Math.abs(expected[i]!));
  const allowed = (tolerance.absolute ?? 0) + (tolerance.relative ?? 0) * largest;
  let worst = -1;
  let distance = allowed;
  for (let i = 0; i < expected.length; i++) {
    if (found[i] === expected[i]) continue;
    const d = Math.abs(found[i]! - expected[i]!);
    if (!(d <= distance)) {
      distance = Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
      worst = i;
    }
  }
  const report = worst < 0 ? '' : `${what}[${worst}] is ${found[worst]}, expected ${expected[worst]} ± ${allowed}`;
  expect(report).toBe('');
}
