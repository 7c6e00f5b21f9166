import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Model } from '../../src/run/model.ts';
import { testGpu } from '../backends.ts';
import { expectClose } from '../close.ts';
import { openFixture } from './models.ts';

// A software GPU takes seconds to compile a kernel.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const ids = [39, 695, 78, 995, 506, 221];
const reference = await openFixture('tiny-gpt2');
afterAll(() => reference.dispose());

describe.each(['cpu', 'wasm', 'webgpu'] as const)('an edit of any tensor, and nothing captured, on %s', (device) => {
  let model: Model;
  beforeAll(async () => {
    if (device === 'webgpu') await testGpu();
    model = await openFixture('tiny-gpt2', { device }, 5); // a chunk of many rows, and one of one
  });
  afterAll(() => model.dispose());

  test.each(reference.tensors().map(({ name }) => name))('%s', async (name) => {
    const edits = [{ name, scale: -1.5 }];
    const plain = await reference.trace(ids);
    // Everything captured, every step runs by itself.
    const { logits: expected } = await reference.trace(ids, { edits, capture: ['*'] });
    const { logits } = await model.trace(ids, { edits });
    expectClose(logits.data, expected.data, { absolute: 2e-4 }, 'logits');
    if (name !== 'logits' && !name.endsWith('hook_scale')) expect(expected.data).not.toEqual(plain.logits.data);
  });

  test('of queries, in every generated token', async () => {
    const edits = [{ name: 'blocks.0.attn.hook_q', scale: 0 }];
    const options = { maxNewTokens: 5, topLogprobs: 1 };
    const expected = await reference.complete(ids, { ...options, edits });
    const found = await model.complete(ids, { ...options, edits });
    expect(found.ids).toEqual(expected.ids);
    expect(found.ids).not.toEqual((await reference.complete(ids, options)).ids);
  });
});
