import { expect, test } from 'vitest';
import type { Backend, DrawSettings, Row } from '../../src/plan/backend.ts';
import { backends, isFull, openedOnce } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from '../ops/mini-plan.ts';
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

// Sources of several lengths, and generations: test/model/encoder-decoders.test.ts.
test.runIf(isFull)('texts are written on with the memory of one of two sources, as run by run on the CPU', async () => {
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

/** Layers of attention over a run's own rows, one after the other, or all filled before any is read. */
function layersPlan(layers: number, together: boolean): MiniPlan {
  const mini = new MiniPlan(9);
  mini.input('z0', randomValues(9 * 64, 1, 2), 4, 16);
  const input = (layer: number) => (together ? 'z0' : `z${layer - 1}`);
  const append = (layer: number) => {
    const source = mini.source(`keys ${layer}`, { nHead: 4, headDim: 16, axis: 'rows' });
    const v = mini.tensor(`v${layer}`, 'rows', 4, 16);
    mini.step({ op: 'binary', kind: 'add', a: input(layer), b: layer > 1 ? 'v1' : input(layer), output: v });
    mini.step({ op: 'cacheAppend', k: input(layer), v, source });
  };
  const attend = (layer: number) => {
    const names = { q: input(layer), source: `keys ${layer}` };
    const scores = mini.tensor(`scores ${layer}`, 4, 'rows', 'context');
    const pattern = mini.tensor(`pattern ${layer}`, 4, 'rows', 'context');
    const output = mini.tensor(`z${layer}`, 'rows', 4, 16);
    mini.step({ op: 'attentionScores', ...names, scale: 0.4, output: scores });
    mini.step({ op: 'maskedSoftmax', input: scores, source: names.source, output: pattern });
    mini.step({ op: 'attentionMix', pattern, source: names.source, output });
  };
  const all = Array.from({ length: layers }, (_, i) => i + 1);
  if (together) for (const layer of all) append(layer);
  for (const layer of all) {
    if (!together) append(layer);
    attend(layer);
  }
  return mini;
}

test("keys of a run's own rows share memory where they may", async () => {
  const rows = encoded.slice(0, 9).map((row, at): Row => ({ ...row, token: at, at, first: 0, sees: 9 }));
  const bytes: number[] = [];
  for (const [layers, together] of [
    [3, false],
    [4, false],
    [3, true],
    [4, true],
  ] as const) {
    const last = [`z${layers}`, 'z1'];
    const expected = await layersPlan(layers, together).run(await cpu!.open(), last, { rows });
    const program = await layersPlan(layers, together).program(await gpu!.open(), last, { rows });
    const found = await program.run({ rows, logitRows: [] });
    for (const name of last) {
      expectClose(found.captured.get(name)!, expected.captured.get(name)!, { absolute: 1e-5 }, name);
    }
    bytes.push(program.bytes);
    program.dispose();
  }
  const [three, four, threeTogether, fourTogether] = bytes as [number, number, number, number];
  expect(four).toBe(three);
  expect(fourTogether).toBeGreaterThanOrEqual(threeTogether + 2 * 9 * 64 * 4);
});
