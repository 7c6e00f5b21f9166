import { describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import type { Program } from '../../src/plan/backend.ts';
import { asKept, type KvFormat, keyBytes } from '../../src/plan/kv.ts';
import { load } from '../../src/run/load.ts';
import { createWasmBackend } from '../../src/wasm/backend.ts';
import { isFull, sharedDevice, type TestBackend } from '../backends.ts';
import { expectClose } from '../close.ts';
import { randomValues } from '../ops/mini-plan.ts';
import { familyFiles, openFamily } from './families.ts';

const keeping = {
  cpu: (kv: KvFormat) => ({ name: 'cpu', open: async () => createCpuBackend({ kv }) }),
  wasm: (kv: KvFormat) => ({ name: 'wasm', open: () => createWasmBackend({ kv }) }),
  webgpu: (kv: KvFormat) => ({ name: 'webgpu', open: async () => createGpuBackend(await sharedDevice(), { kv }) }),
} satisfies Record<string, (kv: KvFormat) => TestBackend>;

const ids = Array.from({ length: 30 }, (_, i) => (i * 37 + 5) % 96);
const size = { slots: 3, context: 40, rows: 24, logitRows: 2 };

describe.each(['wasm', 'webgpu'] as const)('keys and values on %s, kept as', (name) => {
  // Grouped heads, windows, learned positions; a software GPU compiles the kernels of each.
  const folders = name === 'webgpu' && !isFull ? ['qwen2'] : ['qwen2', 'qwen3-window', 'gpt-neo', 'gpt-neox'];
  const formats = name === 'webgpu' && !isFull ? (['q8'] as const) : (['f16', 'q8'] as const); // halves: test/gpu/attention-kv
  const cases = folders.flatMap((folder) => formats.map((kv) => [kv, folder] as const));

  test.each(cases)('%s: the logits and tensors of the reference that rounds them so, %s', async (kv, folder) => {
    const [ours, reference, exact] = await Promise.all(
      [keeping[name](kv), keeping.cpu(kv), keeping.cpu('f32')].map((one) => openFamily(one, folder, 'decoder', 'f32')),
    );
    const vocabulary = reference!.checkpoint.config.vocabSize;
    const rows = (slot: number) => ids.map((id, position) => ({ token: id % vocabulary, position, slot }));
    const pattern = 'blocks.1.attn.hook_pattern';
    const run = async ({ engine }: typeof ours & object, capture: string[]) => {
      const backend = await engine.backend();
      const program = await backend.program(engine.plan, size, new Set(capture));
      if (capture.length === 0) expect(program.bytes).toBe(backend.programBytes(engine.plan, size));
      const prefill = await program.run({ rows: rows(0).slice(0, 24), logitRows: [0, 23] });
      const found = [...prefill.logits];
      for (const row of rows(0).slice(24)) found.push(...(await program.run({ rows: [row], logitRows: [0] })).logits);
      return { program, logits: Float32Array.from(found), pattern: prefill.captured.get(pattern) };
    };
    const [expected, whole, apart] = [
      await run(reference!, [pattern]),
      await run(ours!, []),
      await run(ours!, [pattern]),
    ];
    const spread = Math.sqrt(expected.logits.reduce((sum, value) => sum + value ** 2, 0) / expected.logits.length);
    // A value whose last bit differs may be rounded to another step.
    const tolerance = { absolute: spread * (kv === 'f16' ? 6e-4 : 3e-3) };
    expectClose(whole.logits, expected.logits, tolerance, 'logits');
    expectClose(apart.logits, expected.logits, tolerance, 'logits, steps apart');
    expectClose(apart.pattern!, expected.pattern!, { absolute: kv === 'f16' ? 6e-4 : 3e-3 }, pattern);
    expect(whole.logits).not.toEqual((await run(exact!, [])).logits);

    const last = async (program: Program, slot: number) =>
      (await program.run({ rows: [{ ...rows(slot).at(-1)! }], logitRows: [0] })).logits;
    await whole.program.copySlots([{ from: 0, to: 2 }], 29);
    expect(await last(whole.program, 2)).toEqual(await last(whole.program, 0));
    for (const one of [ours, reference, exact]) one!.engine.dispose();
  });
});

describe('what is kept of a head', () => {
  test('bytes', () => {
    expect([64, 80, 4].map((headDim) => keyBytes('q8', headDim))).toEqual([96, 120, 8]);
    expect(keyBytes('f16', 64)).toBe(128);
  });

  test.each([4, 12, 64, 80])('eight bits: a 127th of the largest of eight, heads of %i', (headDim) => {
    const values = randomValues(3 * headDim, 1, 5);
    const kept = asKept('q8', values, headDim);
    for (let head = 0; head < values.length; head += headDim) {
      for (let start = head; start < head + headDim; start += 8) {
        const block = [start, Math.min(start + 8, head + headDim)] as const;
        const most = Math.max(...values.subarray(...block).map(Math.abs));
        const off = values.subarray(...block).map((value, i) => Math.abs(value - kept[start + i]!));
        expect(Math.max(...off)).toBeLessThanOrEqual((most / 127) * 0.5001);
        expect(Math.max(...kept.subarray(...block).map(Math.abs))).toBeCloseTo(most, 5);
      }
    }
    expect([...asKept('q8', new Float32Array(headDim), headDim)]).toEqual(new Array(headDim).fill(0));
  });
});

describe.each(['cpu', 'wasm'] as const)('memory of a text on %s', (device) => {
  const open = async (options: Parameters<typeof load>[1] = {}) =>
    load(await familyFiles('qwen2', ['config.json', 'model.safetensors']), { device, ...options });

  test('is what its session takes, and grows by its keys and values at least', async () => {
    const sizes: Record<string, number> = {};
    for (const kv of ['f32', 'f16', 'q8'] as const) {
      const model = await open({ kv, contextLength: 32 });
      expect(model.device).toMatchObject({ kv, context: 32 });
      const { engine } = model as unknown as { engine: Awaited<ReturnType<typeof openFamily>>['engine'] };
      const session = engine.borrow([1]);
      await session.prefill([1, 2, 3]);
      expect(model.memoryFor(32)).toBe(session.bytes);
      const { nLayer, nKeyHead, headDim } = model.config as unknown as Record<string, number>;
      const perToken = 2 * nLayer! * nKeyHead! * keyBytes(device === 'cpu' ? 'f32' : kv, headDim!);
      sizes[kv] = model.memoryFor(40) - model.memoryFor(24);
      expect(sizes[kv]).toBeGreaterThanOrEqual(16 * perToken);
      expect(() => model.memoryFor(0)).toThrow('memoryFor was asked for 0 tokens');
      expect(() => model.memoryFor(1e9)).toThrow(/memoryFor was asked for 1000000000 tokens; expected/);
      engine.giveBack(session);
      model.dispose();
      expect(() => model.memoryFor(8)).toThrow('disposed');
    }
  });
});
