import type { Drawn, DrawSettings, Program } from '../../src/plan/backend.ts';
import { backends, openedOnce } from '../backends.ts';
import { MiniPlan } from '../ops/mini-plan.ts';

const gpu = openedOnce(backends.find(({ name }) => name === 'webgpu')!);

/** A model whose logits are the same after every token: x = 1 times a weight. */
export async function fixedLogits(logits: Float32Array): Promise<Program> {
  const plan = new MiniPlan(logits.length);
  const one = plan.input('x', new Float32Array(logits.length).fill(1), 1);
  const weight = plan.matrix('logits', logits.length, 1, logits, 'f32');
  plan.step({
    op: 'linear',
    input: one,
    weight,
    outputs: [plan.tensor('logits', 'logitRows', logits.length)],
    select: true,
  });
  return plan.program(await gpu.open(), [], { rows: [{ token: 0, position: 0, slot: 0 }], context: 8 }, logits.length);
}

export const off: DrawSettings = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  logitBias: new Map(),
  seed: [0, 0],
  sequence: 0,
  topLogprobs: 0,
  ends: [],
};

/** All that `decode` draws, from position 0. */
export async function drawAll(
  program: Program,
  settings: Partial<DrawSettings>,
  limit: number,
  prompt: number[] = [],
  generated: number[] = [],
) {
  const rows = [{ token: 0, position: 0, slot: 0 }];
  const drawn: Drawn[] = [];
  for await (const some of program.decode!({ rows, prompt, generated, limit, settings: { ...off, ...settings } }))
    drawn.push(...some);
  return drawn;
}
