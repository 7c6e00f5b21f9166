import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directLogitAttribution } from '../../src/analysis/attribution.ts';
import type { Model } from '../../src/run/model.ts';
import { deviceWith, sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { openFixture } from '../run/models.ts';

const text = (length: number) => Array.from({ length }, (_, i) => (i * i * 31 + i * 13) % 1000);
const asked = { bytes: 0, pipelines: 0 };
let model: Model;
let reference: Model;

beforeAll(async () => {
  const real = await sharedDevice();
  const device = deviceWith(real, {
    createBuffer(descriptor) {
      asked.bytes += descriptor.size;
      return real.createBuffer(descriptor);
    },
    createComputePipelineAsync(descriptor) {
      asked.pipelines++;
      return real.createComputePipelineAsync(descriptor);
    },
  });
  model = await openFixture('tiny-gpt2', { device });
  reference = await openFixture('tiny-gpt2');
});
afterAll(() => {
  model.dispose();
  reference.dispose();
});

/** Bytes of the buffers, and pipelines, that a call asks the device for. */
async function costOf(call: () => Promise<unknown>) {
  Object.assign(asked, { bytes: 0, pipelines: 0 });
  await call();
  return { ...asked };
}

describe('a trace is as large as its text', () => {
  const capture = ['blocks.*.attn.hook_pattern', 'blocks.*.attn.hook_attn_scores'];

  test('in bytes, whatever the model has room for, and compiles nothing for another length', async () => {
    const { nCtx } = model.config;
    const [short, , long] = [
      await costOf(() => model.trace(text(8), { capture })),
      await costOf(() => model.trace(text(nCtx / 2), { capture })),
      await costOf(() => model.trace(text(nCtx), { capture })),
    ];
    // Patterns grow with the square of the length, all else with the length.
    expect(short.bytes).toBeLessThan(long.bytes / (nCtx / 8));
    expect(long.pipelines).toBe(0);
  });

  test('and right at each step of sizes, and across chunks', async () => {
    for (const length of [1, 7, 8, 9, 33]) {
      const [found, expected] = [
        await model.trace(text(length), { capture }),
        await reference.trace(text(length), { capture }),
      ];
      expectClose(found.logits.data, expected.logits.data, { absolute: 2e-4 }, `${length} logits`);
      for (const [name, { data, shape }] of expected) {
        expect(found.get(name)!.shape).toEqual(shape);
        expectClose(found.get(name)!.data, data, { absolute: 1e-4 }, `${length} ${name}`);
      }
    }
  });
});

test('edits of whatever positions, heads and widths share their pipelines', async () => {
  const edits = (length: number) => [
    { name: 'blocks.0.attn.hook_pattern', head: length % 3, set: new Float32Array(length * length).fill(1 / length) },
    { name: 'blocks.1.attn.hook_attn_scores', position: length - 1, scale: new Float32Array(3 * length).fill(0.5) },
    { name: 'blocks.1.attn.hook_z', position: [0, length - 2], head: [0, 2], scale: length / 2 },
    { name: 'blocks.2.hook_resid_mid', position: -1, add: new Float32Array(96).fill(length) },
  ];
  await model.trace(text(8), { edits: edits(8) });
  for (const length of [9, 40, model.config.nCtx]) {
    const { pipelines } = await costOf(async () => {
      const { logits } = await model.trace(text(length), { edits: edits(length), logits: [-1] });
      const expected = await reference.trace(text(length), { edits: edits(length), logits: [-1] });
      expectClose(logits.data, expected.logits.data, { absolute: 1e-3 }, `${length} logits`);
    });
    expect(pipelines, `of a text of ${length}`).toBe(0);
  }
  const options = { maxNewTokens: 9, edits: edits(8).slice(2), eosTokenId: null };
  const [found, expected] = [await model.complete(text(8), options), await reference.complete(text(8), options)];
  expect(found.ids).toEqual(expected.ids);
});

test('attribution runs the plan once for its parts, and once for as many logits as may be', async () => {
  let traces = 0;
  const counted = {
    config: model.config,
    trace(...args: Parameters<Model['trace']>) {
      traces++;
      return model.trace(...args);
    },
  };
  const ids = text(2);
  const parts = await directLogitAttribution(counted, ids, { token: 7 });
  expect(traces).toBe(3);
  const { logits } = await reference.trace(ids, { logits: [-1] });
  expect(parts.reduce((sum, { logit }) => sum + logit, 0)).toBeCloseTo(logits.data[7]!, 2);
});

test('attribution in a context that is shorter than the heads are many', async () => {
  const small = await openFixture('tiny-gpt2', { contextLength: 2 });
  const ids = text(2);
  const [found, expected] = [
    await directLogitAttribution(small, ids, { token: 7 }),
    await directLogitAttribution(reference, ids, { token: 7 }),
  ];
  expectClose(
    found.map(({ logit }) => logit),
    expected.map(({ logit }) => logit),
    { absolute: 1e-4 },
    'parts',
  );
  small.dispose();
});
