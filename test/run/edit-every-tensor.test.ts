import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/run/model.ts';
import { testGpu } from '../backends.ts';
import { expectClose } from '../close.ts';
import { openFixture } from './models.ts';

const ids = [39, 695, 78, 995, 506, 221];
const reference = await openFixture('tiny-gpt2');
afterAll(() => reference.dispose());

/** One name of each tensor: the others mean the same. */
const seen = new Set<Float32Array>();
const names = [...(await reference.trace(ids, { capture: ['*'] }))]
  .filter(([, { data }]) => !seen.has(data) && seen.add(data))
  .map(([name]) => name);

describe.each(['cpu', 'wasm', 'webgpu'] as const)('an edit of any tensor, and nothing captured, on %s', (device) => {
  let model: Model;
  beforeAll(async () => {
    if (device === 'webgpu') await testGpu();
    model = await openFixture('tiny-gpt2', { device }, 5); // a chunk of many rows, and one of one
  });
  afterAll(() => model.dispose());

  test.each(names)('%s', async (name) => {
    const edits = [{ name, scale: -1.5 }];
    const plain = await reference.trace(ids);
    // Everything captured, every step runs by itself.
    const { logits: expected } = await reference.trace(ids, { edits, capture: ['*'] });
    const { logits } = await model.trace(ids, { edits });
    expectClose(logits.data, expected.data, { absolute: 2e-4 }, 'logits');
    if (name !== 'logits' && !name.endsWith('hook_scale')) expect(expected.data).not.toEqual(plain.logits.data);
  });

  test('that no number can be divided by', async () => {
    for (const name of ['ln_final.hook_scale', 'blocks.1.ln1.hook_scale']) {
      const { logits } = await model.trace(ids, { edits: [{ name, set: 0 }] });
      expect(logits.data.every(Number.isNaN), name).toBe(true);
    }
  });

  test('at no position, or of no head, changes nothing', async () => {
    const plain = await model.trace(ids);
    for (const where of [{ position: [] }, { head: [] }]) {
      const { logits } = await model.trace(ids, { edits: [{ name: 'blocks.0.attn.hook_z', ...where, set: 0 }] });
      expectClose(logits.data, plain.logits.data, { absolute: 1e-5 }, JSON.stringify(where));
    }
  });

  test.each(['hook_attn_scores', 'hook_pattern'])(
    'of %s by 1, in a text of more than 64 tokens, changes nothing',
    async (hook) => {
      const long = Array.from({ length: 100 }, (_, i) => (i * i * 31 + i * 13) % 1000);
      const options = { maxNewTokens: 8, eosTokenId: null };
      const plain = await reference.complete(long, options);
      const edits = [{ name: `blocks.1.attn.${hook}`, head: 0, scale: 1 }];
      const edited = await model.complete(long, { ...options, edits });
      expect(edited.ids).toEqual(plain.ids);
      expectClose(edited.logprobs, plain.logprobs, { absolute: 1e-4 }, 'logprobs');
    },
  );

  test('of queries, in every generated token', async () => {
    const edits = [{ name: 'blocks.0.attn.hook_q', scale: 0 }];
    const options = { maxNewTokens: 5, topLogprobs: 1 };
    const expected = await reference.complete(ids, { ...options, edits });
    const found = await model.complete(ids, { ...options, edits });
    expect(found.ids).toEqual(expected.ids);
    expect(found.ids).not.toEqual((await reference.complete(ids, options)).ids);
  });
});
