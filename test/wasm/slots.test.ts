import { expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { createWasmBackend } from '../../src/wasm/backend.ts';
import { expectClose } from '../close.ts';
import { openOn } from '../model/opened.ts';

/** Moves as beams make them: places changed, one beam's copies, some left alone. */
const rounds = [
  [
    { from: 1, to: 0 },
    { from: 0, to: 1 },
    { from: 2, to: 2 },
    { from: 3, to: 3 },
  ],
  [
    { from: 2, to: 0 },
    { from: 2, to: 1 },
    { from: 2, to: 2 },
    { from: 0, to: 3 },
  ],
  [{ from: 3, to: 1 }],
  [
    { from: 1, to: 2 },
    { from: 2, to: 3 },
    { from: 3, to: 0 },
  ],
  [
    { from: 0, to: 1 },
    { from: 0, to: 2 },
  ],
];

/** Logits of four slots, after each round of moves. */
async function decoded(backend: Backend): Promise<Float32Array[]> {
  const { plan } = await openOn(backend, 'tiny-gpt2', 'model.safetensors');
  const program = await backend.program(plan, { slots: 4, context: 32, rows: 16, logitRows: 4 });
  const slots = [0, 1, 2, 3];
  const step = (position: number, token: (slot: number) => number) =>
    program.run({ rows: slots.map((slot) => ({ token: token(slot), position, slot })), logitRows: slots });
  for (let position = 0; position < 4; position++) await step(position, (slot) => 100 * slot + position);
  const all: Float32Array[] = [];
  for (const [round, moves] of rounds.entries()) {
    program.copySlots(moves, 4 + round);
    all.push((await step(4 + round, () => 500 + round)).logits);
  }
  backend.dispose();
  return all;
}

test('slots copied and exchanged hold what they hold on the CPU', async () => {
  const expected = await decoded(createCpuBackend());
  const found = await decoded(await createWasmBackend());
  expect(found).toHaveLength(rounds.length);
  found.forEach((logits, i) => {
    expectClose(logits, expected[i]!, { absolute: 2e-5 }, `after round ${i}`);
  });
});
