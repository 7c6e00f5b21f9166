import { expect, test } from 'vitest';
import { colours, pixelsOf, stepOf } from '../../src/page/inside/draw/colours.ts';

test.each([
  ['amount', 2, 0],
  ['signed', 3, 0],
  ['signed', 1, 1],
  ['amount', 0, 0],
] as const)('pictures on the scale %s up to %d about %d have the colours of their values', (scale, limit, middle) => {
  const values = Float32Array.from({ length: 401 }, (_, i) => (i - 200) / 37);
  const table = colours(scale, 'light');
  const expected = Array.from(values, (value) => table[stepOf(value - middle, scale, limit)]!);
  expect([...pixelsOf(values, { scale, limit, middle }, 'light')]).toEqual(expected);
});

test('what is not finite is drawn as nothing', () => {
  const values = Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1);
  expect([...pixelsOf(values, { scale: 'signed', limit: 1 }, 'dark')].map((pixel) => pixel !== 0)).toEqual([
    false,
    false,
    false,
    true,
  ]);
});
