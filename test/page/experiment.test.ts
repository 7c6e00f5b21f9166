import { expect, test } from 'vitest';
import type { WorkerModel } from '../../src/embed/client.ts';
import { cellIn, spelledTouch, touchIn } from '../../src/page/inside/experiment.ts';
import type { Touch } from '../../src/page/inside/touch.ts';

const tensors = [
  { name: 'blocks.1.hook_resid_pre', shape: ['rows', 3] },
  { name: 'blocks.1.attn.hook_z', shape: ['rows', 2, 2] },
];
const model = { tensors: () => tensors } as unknown as WorkerModel;
const row = Float32Array.of(0.1, 0.9);

test.each<Touch>([
  { kind: 'head', layer: 3, head: 1, factor: 0.35 },
  { kind: 'mlp', layer: 0, factor: 0 },
  { kind: 'attention', layer: 2, head: 0, position: 1, row, before: Float32Array.of(1 / 3, 2 / 3) },
  {
    ...{ kind: 'patch', layer: 1, name: 'blocks.1.hook_resid_pre', position: 4, model },
    values: Float32Array.of(-1.5, 0, 1e-9),
    from: ' a b%',
  },
  { ...{ kind: 'patch', layer: 1, name: 'blocks.1.attn.hook_z', head: 1, position: 0, model }, values: row, from: '' },
])('a touch of the kind $kind is the same after a link', (touch) => {
  expect(touchIn(spelledTouch(touch), model)).toEqual(touch);
});

test.each([
  '',
  'head',
  'head 1',
  'head -1 0 0',
  'head 1 2',
  'head 1 2 x',
  'head 1 2 1e9',
  'mlp',
  'mlp 1',
  'other 1 2 3',
  'attention 0 0 1',
  'attention 0 0 1 %%% %%%',
  'attention 0 0 2 zczMPWZmZj8= zczMPWZmZj8=',
  'attention 0 0 0 AACAvw== AACAPw==',
  'attention 0 0 0 AADAfw== AACAPw==',
  'patch 1 blocks.9.hook_resid_pre - 0 AACAPwAAgD8AAIA/ a',
  'patch 1 blocks.1.hook_resid_pre - 0 AACAPw== a',
  'patch 1 blocks.1.hook_resid_pre 0 0 AACAPwAAgD8AAIA/ a',
  'patch 1',
  'patch 1 nothing - 0',
])('“%s” is no touch', (text) => {
  expect(touchIn(text, model)).toBeUndefined();
});

test('a cell is read back, and nonsense is none', () => {
  expect(cellIn('tensor blocks.0.attn.hook_q 3,1,5')).toEqual({
    ...{ kind: 'tensor', name: 'blocks.0.attn.hook_q', index: [3, 1, 5] },
  });
  for (const wrong of ['', 'tensor', 'tensor a', 'cell a 1', 'tensor a -1', 'tensor a 1,', 'tensor <b> 1'])
    expect(cellIn(wrong), wrong).toBeUndefined();
});
