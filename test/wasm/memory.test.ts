import { afterEach, describe, expect, test, vi } from 'vitest';
import type { VitrineError } from '../../src/plan/error.ts';
import { createWasmBackend } from '../../src/wasm/backend.ts';
import { WasmMemory } from '../../src/wasm/memory.ts';
import { openOn } from '../model/opened.ts';

const RealMemory = WebAssembly.Memory;
afterEach(() => {
  WebAssembly.Memory = RealMemory;
});

describe('the allocator', () => {
  test('gives stretches that do not meet, all zero, and takes them back', () => {
    const memory = new WasmMemory(false);
    const size = () => memory.memory.buffer.byteLength;
    const taken = [300_000, 1, 64, 500_000].map((bytes) => ({ at: memory.allocate(bytes, 'a test'), bytes }));
    for (const { at, bytes } of taken) {
      expect(at % 64).toBe(0);
      expect(memory.bytes(at, bytes).every((byte) => byte === 0)).toBe(true);
      memory.bytes(at, bytes).fill(255);
    }
    const ends = [...taken].sort((a, b) => a.at - b.at);
    ends.slice(1).forEach(({ at }, i) => {
      expect(at).toBeGreaterThanOrEqual(ends[i]!.at + ends[i]!.bytes);
    });
    const before = size();
    for (const i of [1, 3, 0, 2]) memory.free(taken[i]!.at);
    memory.free(taken[0]!.at); // twice does no harm
    const whole = memory.allocate(800_000, 'all of it joined again');
    expect(memory.bytes(whole, 800_000).every((byte) => byte === 0)).toBe(true);
    expect(size()).toBe(before);
  });

  test.each([false, true])('refuses what does not fit below 4 GB, by name (shared: %s)', (shared) => {
    const memory = new WasmMemory(shared);
    memory.allocate(1000, 'a first');
    expect(() => memory.allocate(2 ** 32, 'wte.weight')).toThrow(/wte\.weight needs 4096 MB .* ends at 4096 MB/);
    try {
      memory.allocate(2 ** 32, 'wte.weight');
    } catch (error) {
      expect((error as VitrineError).code).toBe('out-of-memory');
      expect((error as VitrineError).hint).toContain('q8');
    }
    expect(memory.allocate(1000, 'a second')).toBeGreaterThan(0);
  });

  test('tells of a system that gives no more', () => {
    const memory = new WasmMemory(false);
    vi.spyOn(memory.memory, 'grow').mockImplementation(() => {
      throw new RangeError('WebAssembly.Memory.grow(): Unable to grow instance memory');
    });
    expect(() => memory.allocate(10 ** 6, 'The key cache of layer 0')).toThrow(
      /key cache of layer 0 .* no more memory/,
    );
  });
});

/** A backend with tiny-gpt2, and the bytes of its memory. */
async function opened() {
  const made: WebAssembly.Memory[] = [];
  WebAssembly.Memory = class extends RealMemory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      made.push(this);
    }
  };
  const backend = await createWasmBackend();
  const { plan } = await openOn(backend, 'tiny-gpt2', 'model.safetensors');
  expect(made).toHaveLength(1);
  return { backend, plan, bytes: () => made[0]!.buffer.byteLength };
}

describe('the backend', () => {
  test('programs leave nothing behind', async () => {
    const { backend, plan, bytes } = await opened();
    const size = { slots: 2, context: 128, rows: 64, logitRows: 2 };
    let after = 0;
    for (let i = 0; i < 20; i++) {
      if (i === 4) after = bytes();
      const program = await backend.program(plan, size, new Set(i % 2 ? ['blocks.0.attn.hook_pattern'] : []));
      expect(program.bytes).toBeGreaterThan(2 * 3 * 2 * 128 * 96 * 4);
      program.dispose();
      program.dispose();
    }
    expect(bytes()).toBe(after);
    backend.dispose();
  });

  test('a program that does not fit leaves nothing behind', async () => {
    const { backend, plan, bytes } = await opened();
    const before = bytes();
    const huge = backend.program(plan, { slots: 100_000, context: 128, rows: 64, logitRows: 2 });
    await expect(huge).rejects.toThrow(/key source cache\.\d/);
    await expect(huge).rejects.toMatchObject({ code: 'out-of-memory' });
    (await backend.program(plan, { slots: 1, context: 64, rows: 16, logitRows: 1 })).dispose();
    expect(bytes()).toBeLessThan(before + 2 ** 20);
    backend.dispose();
  });

  test('a weight that ends early, or is read again, leaves nothing behind', async () => {
    const { backend, bytes } = await opened();
    const spec = { name: 'w', kind: 'matrix' as const, rows: 1000, columns: 320, storedTransposed: false };
    async function* pieces(rows: number) {
      for (let row = 0; row < rows; row += 250) yield new Float32Array(250 * 320);
    }
    await backend.addWeight(spec, 'f32', pieces(1000));
    const held = backend.bytes;
    await backend.addWeight(spec, 'f32', pieces(1000));
    const after = bytes();
    for (let i = 0; i < 5; i++) {
      await backend.addWeight(spec, 'f32', pieces(1000));
      await expect(backend.addWeight(spec, 'f32', pieces(500))).rejects.toThrow('w has 500 rows, not 1000.');
    }
    expect(backend.bytes).toBe(held);
    expect(bytes()).toBe(after);
    backend.dispose();
  });

  test('says so when it is used after dispose', async () => {
    const { backend, plan } = await opened();
    const program = await backend.program(plan, { slots: 1, context: 16, rows: 4, logitRows: 1 });
    backend.dispose();
    backend.dispose();
    const row = { token: 1, position: 0, slot: 0 };
    await expect(program.run({ rows: [row], logitRows: [0] })).rejects.toMatchObject({ code: 'disposed' });
    await expect(backend.program(plan, program.size)).rejects.toMatchObject({ code: 'disposed' });
  });

  test.each([0, -1, 1.5, Number.NaN])('threads: %s is refused', async (threads) => {
    await expect(createWasmBackend({ threads })).rejects.toMatchObject({ code: 'bad-option' });
  });
});
