import { describe, expect, test } from 'vitest';
import { isFull } from '../full.ts';
import { encoderDecoderPlan, encoderPlan, rotaryPlan } from '../run/check-plans.ts';
import { miscompiled, misdispatched } from './altered.ts';
import { type Case, check, workgroups } from './planted.ts';

const early = (code: string) => code.replace(/(fn main\([^{]*\{)/, '$1 if (batch.rowCount > 0) { return; }');
const row = { row: 'registers' } as const;

const faults: Case[] = [
  { what: 'a kernel that returns early', how: miscompiled('linear-row', early), op: '+ gelu_new', rows: 'one' },
  { what: 'attention that returns early', how: miscompiled('attention-row', early), op: 'attention', rows: 'one' },
  {
    what: 'tanh left out',
    how: miscompiled('linear-row', (code) => code.replace('tanh(clamp(', '(clamp(')),
    op: '+ gelu_new',
    rows: 'one',
  },
  {
    what: 'one per cent too much in one column',
    how: miscompiled('linear-row', (code) =>
      code.replace('output[at] = value;', 'output[at] = value * select(1.0, 1.01, column == N - 1);'),
    ),
    op: 'linear 384 → 96',
    rows: 'one',
  },
  {
    what: 'keys one per cent too large',
    how: miscompiled('attention-row', (code) => code.replace('scores * SCALE', 'scores * SCALE * 1.01')),
    op: 'attention',
    rows: 'one',
  },
  {
    what: 'the output of an earlier run',
    how: misdispatched('linear-row', 1, () => {}),
    op: 'linear 384 → 96',
    rows: 'one',
  },
  {
    what: 'halves of weights without their last bits',
    how: miscompiled('weights/f16', (code) =>
      code.replace(/unpack2x16float\(([ab]\.\w)\)/g, 'unpack2x16float($1 & 0xfffcfffcu)'),
    ),
    op: 'linear 384 → 96',
    rows: 'one',
    format: 'f16',
  },
  {
    what: 'scales of q8 without their last bits',
    how: miscompiled('weights/q8', (code) => code.replace('(block & 1) == 1)', '(block & 1) == 1) & 0xfffcfffcu')),
    op: 'linear 384 → 96',
    rows: 'one',
    format: 'q8',
  },
  {
    what: 'halves of the cache cut off instead of rounded',
    how: miscompiled('cache-append', (code) =>
      code.replace('(bits + 0xfff + ((bits >> vec2u(13)) & vec2u(1)))', 'bits'),
    ),
    op: 'attention 3',
    rows: 'one',
    options: { kv: 'f16' },
  },
  {
    what: 'barriers left out',
    how: miscompiled('linear-row-lanes', (code) => code.replaceAll('workgroupBarrier();', '')),
    op: '+ gelu_new',
    rows: 'one',
    options: workgroups,
  },
  {
    what: 'the last row dropped',
    how: misdispatched('linear-tile', 0, (call, x, y) => call(x, y - 1)),
    op: 'linear 384 → 96',
    rows: 'many',
  },
  {
    what: 'the last columns dropped',
    how: misdispatched('linear-row', 0, (call, x, y) => call(x - 1, y)),
    op: 'linear 384 → 96',
    rows: 'one',
  },
  {
    what: 'heads turned the other way',
    how: miscompiled('rotate-append', (code) => code.replace('select(-other, other,', 'select(other, -other,')),
    op: 'rotary',
    rows: 'one',
    plan: rotaryPlan(),
  },
  {
    what: 'values in place of keys',
    how: miscompiled('rotate-append', (code) => code.replace('cacheWriteBoth(valuesStart() + at', 'cacheWriteBoth(at')),
    op: 'rotary',
    rows: 'many',
    plan: rotaryPlan(),
  },
  {
    what: 'a gate that opens nothing',
    how: miscompiled('linear-row', (code) => code.replace('* biased(row, column + UP, up)', '')),
    op: '+ silu + multiply',
    rows: 'one',
    plan: rotaryPlan(),
  },
  {
    what: 'positions left out',
    how: miscompiled('embed', (code) => code.replace('numbers.position', '0')),
    op: 'embedding',
    rows: 'one',
  },
];

describe.each(faults)('$what', (one) => {
  test('is caught, and only that', async () => {
    const failed = (await check(one)).filter(({ passed }) => !passed);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.map(({ rows }) => rows)).toContain(one.rows);
    for (const { op } of failed) expect(op).toContain(one.op);
  });
});

const honest: Case[] = [
  { what: 'f32', op: '', rows: 'many' },
  { what: 'q8, halves in the cache', op: '', rows: 'one', format: 'q8', options: { kv: 'f16' } },
  { what: 'q8, eight bits in the cache', op: 'attention', rows: 'one', format: 'q8', options: { kv: 'q8' } },
  { what: 'f16 by lanes and workgroups', op: '', rows: 'one', format: 'f16', options: workgroups },
  { what: 'q4', op: 'linear', rows: 'one', format: 'q4', options: { variants: row } },
  { what: 'heads that are turned', op: 'rotary', rows: 'many', plan: rotaryPlan() },
  { what: 'an encoder', op: '', rows: 'many', plan: encoderPlan() },
  ...(isFull ? [{ what: 'an encoder and a decoder', op: '', rows: 'many', plan: encoderDecoderPlan() } as const] : []),
];

test.each(honest)('an honest device is not accused: $what', async (one) => {
  const findings = await check(one);
  expect(findings.filter(({ passed }) => !passed)).toEqual([]);
  // Far from the tolerances, so that drivers with another rounding are not accused either.
  for (const { op, error, tolerance } of findings) expect(error.mean, op).toBeLessThan(tolerance.mean / 4);
});
