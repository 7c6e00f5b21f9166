import { expect, test } from 'vitest';
import { check, workgroups } from './planted.ts';

const formats = ['f32', 'bf16', 'f16', 'q8', 'q4'] as const;
const variants = { registers: { variants: { row: 'registers', tile: 'registers' } }, workgroups, quads: {} } as const;
const cases = Object.entries(variants).flatMap(([name, options]) =>
  formats.flatMap((format) => (['f32', 'f16', 'q8'] as const).map((kv) => ({ name, format, kv, options }))),
);

test.each(cases)('an honest device is not accused: $name, $format, cache of $kv', async ({ format, kv, options }) => {
  const findings = await check({ what: 'all', op: '', rows: 'many', format, options: { ...options, kv } });
  expect(findings.length).toBeGreaterThan(10);
  expect(findings.filter(({ passed }) => !passed)).toEqual([]);
});
