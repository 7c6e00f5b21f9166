import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type * as Threads from 'node:worker_threads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { load } from '../../src/index.ts';
import { createWasmBackend } from '../../src/wasm/backend.ts';
import { openOn } from '../model/opened.ts';

/** What happens to a run when a thread of it traps: it ends, says why, and so does each later one. Where one never comes, it ends without. */

const fixture = fileURLToPath(new URL('../fixtures/tiny-gpt2/', import.meta.url));
const threads = process.getBuiltinModule('node:worker_threads');
const RealWorker = threads.Worker;
afterEach(() => {
  threads.Worker = RealWorker;
  vi.restoreAllMocks();
});

/** Threads that do this instead of what their first run asks for. */
function plant(instead: string): void {
  const follow = `(thread, threads, last) => {
      Atomics.add(words, SLEEPERS, 1);
      Atomics.wait(words, EPOCH, last);
      Atomics.sub(words, SLEEPERS, 1);
      ${instead};
    }`;
  threads.Worker = class extends RealWorker {
    constructor(script: string | URL, options: Threads.WorkerOptions) {
      const source = readFileSync(script as URL, 'utf8');
      const planted = source.replace('done = exports.follow(', `done = (${follow})(`);
      expect(planted).not.toBe(source);
      super(planted, { ...options, eval: true });
    }
  } as typeof RealWorker;
}

/** A kernel of theirs is given what lies beyond the memory. */
const plantTrap = () => plant('exports.panels(-65536, 1, 64, 0, -65536)');

/** A run that ends before the thread has come to it does not hear of the trap, the next one does. */
async function untilFailure(run: () => Promise<unknown>): Promise<never> {
  for (;;) await run();
}

const trapped = /WebAssembly failed and cannot go on: RuntimeError: memory access out of bounds/;

describe.each([2, 3])('%i threads', (count) => {
  test('a program whose thread traps ends its run, and later ones', async () => {
    plantTrap();
    const backend = await createWasmBackend({ threads: count });
    const { plan } = await openOn(backend, 'tiny-gpt2', 'model.safetensors');
    const program = await backend.program(plan, { slots: 1, context: 32, rows: 8, logitRows: 1 });
    const run = () => program.run({ rows: [{ token: 5, position: 0, slot: 0 }], logitRows: [0] });
    for (let again = 0; again < 2; again++)
      await expect(untilFailure(run)).rejects.toMatchObject({
        code: 'device-lost',
        message: expect.stringMatching(trapped),
      });
    await expect(backend.lost).resolves.toMatch(/memory access out of bounds/);
    backend.dispose();
  });

  test('a model says so, at once and afterwards, and another one works', async () => {
    plantTrap();
    const model = await load(fixture, { device: 'wasm', threads: count });
    for (let again = 0; again < 2; again++)
      await expect(untilFailure(() => model.complete([5, 17, 300], { maxNewTokens: 3 }))).rejects.toMatchObject({
        code: 'device-lost',
        message: expect.stringMatching(trapped),
        hint: expect.stringContaining('again'),
      });
    model.dispose();
    threads.Worker = RealWorker;
    const other = await load(fixture, { device: 'wasm', threads: count });
    expect((await other.complete([5, 17, 300], { maxNewTokens: 3 })).ids).toHaveLength(3);
    other.dispose();
  });
});

test('threads that never come to a run hold it up nowhere', async () => {
  plant('Atomics.wait(words, 0, 0)');
  const model = await load(fixture, { device: 'wasm', threads: 3 });
  const written = await model.complete([5, 17, 300], { maxNewTokens: 3 });
  model.dispose();
  const alone = await load(fixture, { device: 'wasm', threads: 1 });
  expect(written.ids).toEqual((await alone.complete([5, 17, 300], { maxNewTokens: 3 })).ids);
  alone.dispose();
});

test.each([1, 2])('the thread that leads %i traps', async (count) => {
  const { instantiate } = WebAssembly as unknown as { instantiate(...given: unknown[]): Promise<WebAssembly.Instance> };
  vi.spyOn(WebAssembly, 'instantiate').mockImplementation((async (...given: unknown[]) => {
    const { exports } = await instantiate(...given);
    const panels = exports.panels as (...numbers: number[]) => void;
    return { exports: { ...exports, run: () => panels(-65536, 1, 64, 0, -65536) } };
  }) as never);
  const backend = await createWasmBackend({ threads: count });
  const { plan } = await openOn(backend, 'tiny-gpt2', 'model.safetensors');
  const program = await backend.program(plan, { slots: 1, context: 32, rows: 8, logitRows: 1 });
  for (let again = 0; again < 2; again++)
    await expect(program.run({ rows: [{ token: 5, position: 0, slot: 0 }], logitRows: [0] })).rejects.toMatchObject({
      code: 'device-lost',
      message: expect.stringMatching(trapped),
    });
  backend.dispose();
});
