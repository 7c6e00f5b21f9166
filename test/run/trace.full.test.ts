import { expect, test } from 'vitest';
import { testGpu } from '../backends.ts';
import { expectClose } from '../close.ts';
import { openTiny } from './models.ts';

test('all patterns of a model of twelve layers and 1,024 positions', async () => {
  await testGpu();
  const shape = { nLayer: 12, nHead: 12, nEmbd: 48, nCtx: 1024 };
  const [large, onCpu] = [await openTiny(shape, { device: 'webgpu' }), await openTiny(shape)];
  for (const length of [3, 70]) {
    const text = Array.from({ length }, (_, i) => (i * 7) % 16);
    const options = { capture: ['blocks.*.attn.hook_pattern', 'blocks.11.hook_resid_post'] };
    const [found, expected] = [await large.trace(text, options), await onCpu.trace(text, options)];
    for (const [name, { data, shape }] of expected) {
      expect(found.get(name)!.shape).toEqual(shape);
      expectClose(found.get(name)!.data, data, { relative: 1e-3 }, name);
    }
  }
  for (const one of [large, onCpu]) one.dispose();
});
