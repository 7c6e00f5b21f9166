import { expect, test } from 'vitest';
import { countingDevice } from '../../bench/counting-device.ts';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import { bertPlan } from '../../src/model/bert.ts';
import { type GptNeoConfig, gptNeoPlan } from '../../src/model/gpt-neo.ts';
import { type GptNeoxConfig, gptNeoxPlan } from '../../src/model/gpt-neox.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { type LlamaConfig, llamaPlan } from '../../src/model/llama.ts';
import type { Rotary } from '../../src/model/rope.ts';
import type { Drawn } from '../../src/plan/backend.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { gpt2Config } from '../model/shapes.ts';
import { randomValues } from '../ops/mini-plan.ts';
import { deviceOfEmptyKernels } from './empty-kernels.ts';

/** GPT-2 small's depth and heads; narrow, because a count does not depend on the width. */
const config = gpt2Config({ nLayer: 12, nHead: 12, nEmbd: 48, nInner: 192, nCtx: 1024, vocabSize: 1000 });

async function open(plan = gpt2Plan(config)) {
  const counting = countingDevice(await deviceOfEmptyKernels());
  const backend = createGpuBackend(counting.device);
  for (const [i, spec] of plan.weights.entries()) {
    await backend.addWeight(spec, 'f32', piece(randomValues(spec.rows * spec.columns, i, 0.1)));
  }
  return { counting, backend, plan };
}

async function* piece(values: Float32Array): AsyncGenerator<Float32Array> {
  yield values;
}

test('a decoded token of GPT-2 small costs 64 dispatches, 1/8 submit or less, and creates nothing', async () => {
  const { counting, backend, plan } = await open();
  const program = await backend.program(plan, { slots: 1, context: 512, rows: 1, logitRows: 1 });
  const request = {
    rows: [{ token: 1, position: 0, slot: 0 }],
    prompt: [],
    generated: [],
    limit: 300,
    settings: {
      temperature: 0.9,
      topK: 40,
      topP: 0.95,
      minP: 0,
      repetitionPenalty: 1.1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: new Map<number, number>(),
      seed: [1, 2] as const,
      sequence: 0,
      topLogprobs: 0,
      ends: [],
    },
    // Software GPUs are too slow for full submits within the usual time.
    submitMs: 1e6,
  };
  const stream = program.decode!(request);
  const drawn: Drawn[] = [];
  drawn.push(...((await stream.next()).value ?? []));
  counting.reset();
  while (drawn.length < 33) drawn.push(...((await stream.next()).value ?? []));
  expect(counting.counts.creations, 'from the first token on').toBe(0);
  // Steady: every submit from now on holds as many tokens as it may.
  counting.reset();
  for (let i = 0; i < 4; i++) drawn.push(...((await stream.next()).value ?? []));
  const { dispatches, passes, submits, maps, creations, writes } = counting.counts;
  const submitted = dispatches / 64;
  expect(Number.isInteger(submitted), `${dispatches} dispatches are not 64 for each token`).toBe(true);
  expect(submits).toBeGreaterThan(0);
  expect(submits / submitted).toBeLessThanOrEqual(1 / 8);
  expect(passes).toBe(submits);
  expect(maps).toBe(submits);
  expect({ creations, writes }).toEqual({ creations: 0, writes: 0 });
  await stream.return();
  backend.dispose();
  expect(counting.liveBuffers.size).toBe(0);
});

const narrow = { nLayer: 3, nHead: 6, nEmbd: 48, nInner: 96, nCtx: 64, vocabSize: 100 };
const tokens = { padTokenId: undefined, tieWordEmbeddings: true, bosTokenId: null, eosTokenIds: [] };
const rotary: Rotary = { frequencies: [1, 0.5, 0.25, 0.125], factor: 1 };
const windows = [undefined, undefined, undefined];
const llamaConfig: LlamaConfig = {
  ...{ ...narrow, ...tokens, modelType: 'llama', nKeyHead: 2, headDim: 8, rmsNormEpsilon: 1e-6, rotary, windows },
  ...{ activation: 'silu', biases: { qkv: false, out: false, mlp: false }, normsHeads: false },
};
const neox: GptNeoxConfig = {
  ...{ ...narrow, ...tokens, rotary, activation: 'gelu', layerNormEpsilon: 1e-5 },
  ...{ parallelResidual: true, attentionBias: true },
};
const neo: GptNeoConfig = {
  ...{ ...narrow, ...tokens, modelType: 'gpt_neo', activation: 'gelu_new', layerNormEpsilon: 1e-5 },
  ...{ windows: [undefined, 5, undefined], biased: true },
};

/** What a layer of each costs; the embedding and the logits are two more a token. */
const decoders: [family: string, perLayer: number, plan: () => Plan][] = [
  ['llama', 6, () => llamaPlan(llamaConfig)],
  ['mistral', 6, () => llamaPlan({ ...llamaConfig, modelType: 'mistral', windows: [9, 9, 9] })],
  ['qwen2', 6, () => llamaPlan({ ...llamaConfig, modelType: 'qwen2', biases: { qkv: true, out: false, mlp: false } })],
  ['qwen3', 6, () => llamaPlan({ ...llamaConfig, modelType: 'qwen3', normsHeads: true })],
  ['gpt_neox', 6, () => gptNeoxPlan(neox)],
  ['gpt_neox, one after the other', 6, () => gptNeoxPlan({ ...neox, parallelResidual: false })],
  ['gpt_neo', 5, () => gptNeoPlan(neo)],
  ['opt', 5, () => gptNeoPlan({ ...neo, modelType: 'opt', activation: 'relu', windows })],
];

test.each(decoders)('a token of %s costs %i dispatches a layer', async (_, perLayer, planOf) => {
  const { counting, backend, plan } = await open(planOf());
  const program = await backend.program(plan, { slots: 1, context: 16, rows: 1, logitRows: 1 });
  counting.reset();
  const { logits } = await program.run({ rows: [{ token: 1, position: 0, slot: 0 }], logitRows: [0] });
  expect(logits.every(Number.isFinite)).toBe(true);
  expect(counting.counts.dispatches).toBe(3 * perLayer + 2);
  backend.dispose();
});

test('a forward of MiniLM costs 38 dispatches, whether of one row or of many', async () => {
  const miniLm = bertPlan({
    ...{ modelType: 'bert', nLayer: 6, nHead: 12, nEmbd: 48, nInner: 192, nCtx: 512, vocabSize: 1000, nSegments: 2 },
    ...{ activation: 'gelu', layerNormEpsilon: 1e-12, padTokenId: 0, head: undefined, pools: false, labels: [] },
    ...{ tieWordEmbeddings: true, hasOutputBias: false, problemType: undefined },
  });
  const { counting, backend, plan } = await open(miniLm);
  const hidden = plan.aliases.get('hidden')!;
  const program = await backend.program(plan, { slots: 1, context: 8, rows: 8, logitRows: 1 }, new Set([hidden]));
  for (const count of [1, 8]) {
    const rows = Array.from({ length: count }, (_, i) => ({ token: i, position: i, slot: 0, first: 0, sees: count }));
    counting.reset();
    const { captured } = await program.run({ rows, logitRows: [] });
    expect(captured.get(hidden)!.length).toBe(count * 48);
    // The embedding and its norm; then for each layer q, k and v, attention, out, up with the norm before it, down, norm.
    expect(counting.counts.dispatches).toBe(2 + 6 * 6);
  }
  backend.dispose();
});

test('nothing is left allocated when programs and backends go', async () => {
  const { counting, backend, plan } = await open();
  const weights = counting.liveBuffers.size;
  const size = { slots: 2, context: 512, rows: 1, logitRows: 1 };
  const capture = new Set(['blocks.3.attn.hook_pattern', 'blocks.0.hook_resid_mid']);
  const program = await backend.program(plan, size, capture);
  await program.run({ rows: [{ token: 1, position: 0, slot: 0 }], logitRows: [0] });
  program.copySlots([{ from: 0, to: 1 }], 1);
  program.dispose();
  // The vectors that fused layers share stay with the weights.
  const kept = counting.liveBuffers.size;
  expect(kept).toBeGreaterThanOrEqual(weights);
  const again = await backend.program(plan, size, capture);
  again.dispose();
  expect(counting.liveBuffers.size).toBe(kept);
  backend.dispose();
  expect(counting.liveBuffers.size).toBe(0);
});

test('a program too large for the device is refused, and leaves nothing', async () => {
  const { counting, backend, plan } = await open();
  const before = counting.liveBuffers.size;
  const huge = backend.program(plan, { slots: 1e6, context: 1024, rows: 8, logitRows: 1 });
  await expect(huge).rejects.toMatchObject({ name: 'VitrineError', code: 'out-of-memory' });
  expect(counting.liveBuffers.size).toBe(before);
  backend.dispose();
});
