import { describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import type { AttentionVariant } from '../../src/gpu/kernels/attention.ts';
import { sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { openOn, runIds } from '../model/opened.ts';
import { openFixture, openTiny } from '../run/models.ts';

/** In test:full all rows in workgroups (planted-faults.full); software compiles each of those kernels for two seconds. */
const openHalf = async (attention: AttentionVariant) => {
  const variants = attention === 'shared' ? ({ row: 'lanes' } as const) : {};
  return createGpuBackend(await sharedDevice(), { kv: 'f16', attention, variants });
};

const ids = [506, 221, 999, 0, 334, 667, 333, 666, 12, 13, 14];
const size = { slots: 3, context: 16, rows: 8, logitRows: 8 };

describe.each(['registers', 'shared'] as const)('keys and values as halves, %s', (attention) => {
  test('half the cache, logits near the reference, prefilled and token by token', async () => {
    const exact = await openOn(createCpuBackend(), 'tiny-gpt2', 'model.safetensors', 'f32');
    const half = await openOn(await openHalf(attention), 'tiny-gpt2', 'model.safetensors', 'f32');
    const reference = await exact.backend.program(exact.plan, size);
    const program = await half.backend.program(half.plan, size);
    const last = { rows: [{ token: 12, position: 8, slot: 0 }], logitRows: [0] };
    for (const at of [reference, program]) await runIds(at, ids.slice(0, 8), []);
    const expected = (await reference.run(last)).logits;
    const found = (await program.run(last)).logits;
    // Rounding to 11 bits moves the logits, and hardly.
    expectClose(found, expected, { absolute: 5e-3 }, 'logits');
    expect(found).not.toEqual(expected);
    // Slots are copied as halves too: the same text in another slot has the same logits.
    program.copySlots([{ from: 0, to: 2 }], 8);
    const copied = await program.run({ rows: [{ token: 12, position: 8, slot: 2 }], logitRows: [0] });
    expect(copied.logits).toEqual(found);
    // Rows of different slots at once, as beams have them.
    const row = { token: 12, position: 8 };
    const beams = { rows: [0, 2].map((slot) => ({ ...row, slot })), logitRows: [0, 1] };
    expectClose((await program.run(beams)).logits, [...found, ...found], { absolute: 1e-3 }, 'logits of beams');
    exact.backend.dispose();
    half.backend.dispose();
  });

  test('traces read the same halves: stages apart equal the whole', async () => {
    const { plan, backend } = await openOn(await openHalf(attention), 'tiny-gpt2', 'model.safetensors', 'f32');
    const whole = await backend.program(plan, size);
    const apart = await backend.program(plan, size, new Set(['blocks.0.attn.hook_pattern', 'blocks.0.attn.hook_k']));
    const [a, b] = [await runIds(whole, ids.slice(0, 8), [7]), await runIds(apart, ids.slice(0, 8), [7])];
    // A key that differs in its last bit may round to another half.
    expectClose(b.logits, a.logits, { absolute: 1e-3 }, 'logits');
    backend.dispose();
  });
});

describe('load takes kv', () => {
  test('f16 on WebGPU', async () => {
    const [exact, half] = [
      await openFixture('tiny-gpt2', { device: 'cpu' }, 1),
      await openFixture('tiny-gpt2', { device: 'webgpu', kv: 'f16' }, 1),
    ];
    const expected = await exact.logits([1, 2, 3]);
    const found = await half.logits([1, 2, 3]);
    expectClose(found.data, expected.data, { absolute: 5e-3 }, 'logits');
    exact.dispose();
    half.dispose();
  });

  test('f16 is refused for heads that are no multiple of 4 wide, and other words are', async () => {
    await expect(openTiny({ nEmbd: 6, nHead: 1 }, { device: 'webgpu', kv: 'f16' })).rejects.toThrow(/heads of 6/);
    const options = { kv: 'f8' } as unknown as { kv: 'f16' };
    const { load } = await import('../../src/run/load.ts');
    await expect(load([], options)).rejects.toThrow('Option kv is "f8"; expected "f32" or "f16" or "q8".');
  });
});
