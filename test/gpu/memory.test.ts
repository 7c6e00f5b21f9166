import { expect, test } from 'vitest';
import type { Backend, DrawSettings, Row } from '../../src/plan/backend.ts';
import { backends, openedOnce } from '../backends.ts';
import { expectClose } from '../close.ts';
import { randomValues } from '../ops/mini-plan.ts';
import { encoderDecoderPlan } from '../run/check-plans.ts';

const [cpu, gpu] = ['cpu', 'webgpu'].map((name) => openedOnce(backends.find((one) => one.name === name)!));

const plan = encoderDecoderPlan();
/** More rows are encoded than the decoder takes at once. */
const size = { slots: 2, context: 24, rows: 8, logitRows: 1, source: 12 };
/** Two texts, of seven rows and of five. */
const texts = [
  { first: 0, count: 7 },
  { first: 7, count: 5 },
];
const encoded = texts.flatMap(({ first, count }) =>
  Array.from({ length: count }, (_, position): Row => {
    const at = first + position;
    return { token: 0, position, slot: 0, at, first, sees: count, memory: { first: at, count: 1 } };
  }),
);

async function* piece(values: Float32Array): AsyncGenerator<Float32Array> {
  yield values;
}

async function filled(backend: Backend) {
  for (const [i, spec] of plan.weights.entries()) {
    await backend.addWeight(spec, 'f32', piece(randomValues(spec.rows * spec.columns, i, 0.6)));
  }
  const program = await backend.program(plan, size);
  await program.run({ rows: encoded, logitRows: [], encodes: true, input: randomValues(encoded.length * 20, 99) });
  return program;
}

test('texts are written on with the memory of one of two sources, as run by run on the CPU', async () => {
  const [reference, program] = [await filled(await cpu!.open()), await filled(await gpu!.open())];
  const settings: DrawSettings = {
    ...{ temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, frequencyPenalty: 0, presencePenalty: 0 },
    ...{ logitBias: new Map(), seed: [0, 0], sequence: 0, topLogprobs: 0, ends: [] },
  };
  const written: string[] = [];
  for (const [slot, memory] of texts.entries()) {
    const row = (token: number, position: number): Row => ({ token, position, slot, memory });
    const prompt = [5, 90, 31].map(row);
    const expected: number[] = [];
    let { logits } = await reference.run({ rows: prompt, logitRows: [2] });
    expectClose((await program.run({ rows: prompt, logitRows: [2] })).logits, logits, { absolute: 1e-4 }, 'logits');
    while (expected.length < 9) {
      const best = logits.reduce((at, logit, id) => (logit > logits[at]! ? id : at), 0);
      expected.push(best);
      ({ logits } = await reference.run({ rows: [row(best, 2 + expected.length)], logitRows: [0] }));
    }
    const drawn: number[] = [];
    const request = { rows: prompt, prompt: [5, 90, 31], generated: [], limit: 9, settings };
    for await (const some of program.decode!(request)) drawn.push(...some.map(({ id }) => id));
    expect(drawn).toEqual(expected);
    written.push(drawn.join());
  }
  expect(written[0]).not.toBe(written[1]);
});
