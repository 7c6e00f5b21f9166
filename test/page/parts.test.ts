import { expect, test } from 'vitest';
import { partsOf } from '../../src/page/inside/stations/runs/parts.ts';
import type { Step } from '../../src/plan/plan.ts';

const norm = { weight: 'w', epsilon: 1e-5 };
const linear = { op: 'linear' as const, input: 'x', weight: 'm', outputs: ['y'] };

test.each<[Step, string]>([
  [{ ...linear, norm: { ...norm, centred: true } }, 'LayerNorm + Product'],
  [{ ...linear, norm: { ...norm, centred: false } }, 'RMSNorm + Product'],
  [{ op: 'norm', input: 'x', output: 'y', ...norm, centred: false }, 'RMSNorm'],
  [{ op: 'normScale', input: 'x', output: 'y', epsilon: 1e-5, centred: false }, 'RMSNorm: scale'],
  [{ op: 'binary', kind: 'multiply', a: 'x', b: 'z', output: 'y' }, 'Multiply'],
  [{ op: 'binary', kind: 'add', a: 'x', b: 'z', output: 'y' }, 'Add'],
  [{ ...linear, residual: 'z' }, 'Product + Add'],
  [{ ...linear, gate: 'z' }, 'Product + Multiply'],
])('a step is called what it does: %s', (step, title) => {
  const { steps, ...rest } = { steps: [{ step, shaders: [], microseconds: 1 }], clock: 'wall', repeats: 1 } as const;
  expect(partsOf({ ...rest, steps: [...steps] }).map((part) => part.title)).toEqual([title]);
});
