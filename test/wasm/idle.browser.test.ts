import { expect, test } from 'vitest';
import { createWasmBackend } from '../../src/wasm/backend.ts';
import { openOn, runIds } from '../model/opened.ts';

/** Longer than a thread blocks for a run (thread.js). */
const idleMs = 400;

test('threads that had nothing to do, and are back at their event loops, come to the next run', async () => {
  const { plan, backend } = await openOn(await createWasmBackend({ threads: 2 }), 'tiny-gpt2', 'model.safetensors');
  expect(backend.adapter).toContain('2 threads');
  const program = await backend.program(plan, { slots: 1, context: 32, rows: 16, logitRows: 1 });
  const ids = [506, 221, 999, 0];
  const { logits: first } = await runIds(program, ids, [3]);
  for (let times = 0; times < 3; times++) {
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    const { logits } = await runIds(program, ids, [3]);
    expect(logits).toEqual(first);
  }
  backend.dispose();
});
