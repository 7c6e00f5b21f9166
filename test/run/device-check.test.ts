import { expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import type { Trial } from '../../src/gpu/open.ts';
import { familyOf } from '../../src/model/families.ts';
import { Fields } from '../../src/model/fields.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { vitPlan } from '../../src/model/vit.ts';
import type { Backend, WeightFormat } from '../../src/plan/backend.ts';
import { VitrineError } from '../../src/plan/error.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { type Checked, checkKernels, checkOf } from '../../src/run/canary/device-check.ts';
import type { DeviceCheck } from '../../src/run/canary/finding.ts';
import { createWasmBackend } from '../../src/wasm/backend.ts';
import { gpt2Config } from '../model/shapes.ts';
import { encoderDecoderPlan, encoderPlan } from './check-plans.ts';

function checkedOf(format: WeightFormat, shape: Partial<Parameters<typeof gpt2Config>[0]> = {}): Checked {
  const plan = gpt2Plan(
    gpt2Config({ nLayer: 2, nHead: 4, nEmbd: 96, nInner: 384, nCtx: 32, vocabSize: 500, ...shape }),
  );
  const formatOf = ({ name }: { name: string }) => (name === 'wpe.weight' ? 'f32' : format);
  return { plan, size: { slots: 1, context: plan.nCtx, rows: 16, logitRows: 4 }, formatOf, kv: 'f32' };
}

test.each(['f32', 'bf16', 'f16', 'q8', 'q4'] as const)(
  'the check agrees with the reference itself, %s',
  async (format) => {
    const findings = await checkKernels(createCpuBackend(), checkedOf(format));
    const ops = [...new Set(findings.map(({ op }) => op))];
    expect(ops).toEqual([
      `embedding 96 → 500 ${format} + positions + add`,
      'attention 4 × 24',
      `layerNorm + linear 96 → 288 ${format} + attention 4 × 24`,
      `linear 96 → 96 ${format} + add`,
      `layerNorm + linear 96 → 384 ${format} + gelu_new`,
      `linear 384 → 96 ${format} + add`,
      `layerNorm + linear 96 → 500 ${format}`,
      'token scores',
    ]);
    expect(findings.filter(({ rows }) => rows === 'many')).toHaveLength(7);
    for (const { op, error } of findings) expect(error, op).toEqual({ mean: 0, worst: 0 });
  },
);

/** Of a plan that is no decoder, or more than one. */
const checkedPlan = (plan: Plan, source?: number): Checked => ({
  ...{ plan, kv: 'f32', formatOf: ({ kind }) => (kind === 'matrix' ? 'q8' : 'f32') },
  size: { slots: 1, context: 24, rows: 16, logitRows: 2, ...(source !== undefined && { source }) },
});

test('an encoder: texts are read whole, and no token is drawn', async () => {
  const findings = await checkKernels(createCpuBackend(), checkedPlan(encoderPlan()));
  expect(findings.map(({ op, rows }) => `${op} (${rows})`)).toEqual(
    [
      'embedding 32 → 150 q8 + positions + segments + add + add',
      'layerNorm',
      'attention 4 × 8',
      'linear 32 → 96 q8 + attention 4 × 8',
      'linear 32 → 32 q8 + add',
      'layerNorm + linear 32 → 48 q8 + gelu',
      'layerNorm + linear 32 → 48 q8 + gelu, its norm',
      'linear 48 → 32 q8 + add',
      'layerNorm + linear 32 → 32 q8 + gelu',
      'layerNorm + linear 32 → 150 q8',
    ].flatMap((op) => [`${op} (many)`, `${op} (one)`]),
  );
  for (const { op, error } of findings) expect(error, op).toEqual({ mean: 0, worst: 0 });
});

test('an encoder and a decoder: each kernel in the part that runs it', async () => {
  const findings = await checkKernels(createCpuBackend(), checkedPlan(encoderDecoderPlan(), 30));
  const ops = findings.map(({ op, rows }) => `${op} (${rows})`);
  const both = (op: string) => [`${op} (many)`, `${op} (one)`];
  expect(ops).toEqual([
    'linear 20 → 32 q8 (many)',
    'attention 4 × 8 by distance (many)',
    'rmsNorm + linear 32 → 96 q8 + attention 4 × 8 by distance (many)',
    'linear 32 → 32 q8 + add (many)',
    'rmsNorm + linear 32 → 40 q8 + silu (many)',
    'rmsNorm + linear 32 → 40 q8 + silu, its norm (many)',
    'linear 32 → 40 q8 + multiply (many)',
    'linear 40 → 32 q8 + add (many)',
    ...both('embedding 32 → 150 q8'),
    ...both('attention 4 of 2 × 8 by distance'),
    ...both('rmsNorm + linear 32 → 64 q8 + attention 4 of 2 × 8 by distance'),
    ...both('linear 32 → 32 q8 + add'),
    ...both('rmsNorm + linear 32 → 32 q8'),
    ...both('attention 4 × 8 of a memory'),
    ...both('rmsNorm + linear 32 → 64 q8 + attention 4 × 8 of a memory'),
    ...both('rmsNorm + linear 32 → 40 q8 + silu'),
    ...both('rmsNorm + linear 32 → 40 q8 + silu, its norm'),
    ...both('linear 32 → 40 q8 + multiply'),
    ...both('linear 40 → 32 q8 + add'),
    ...both('rmsNorm + linear 32 → 150 q8'),
    'token scores (one)',
  ]);
  for (const { op, error } of findings) expect(error, op).toEqual({ mean: 0, worst: 0 });
});

test('norms are of whole rows, however wide, and few tokens before an image are no fewer rows', async () => {
  const vit = (side: number) =>
    vitPlan({
      ...{ modelType: 'vit', nLayer: 1, nHead: 2, nEmbd: 128, nInner: 160, vocabSize: 0, activation: 'gelu' },
      ...{
        nCtx: 1 + (side / 4) ** 2,
        imageSize: [side, side],
        patchSize: [4, 4],
        channels: 3,
        qkvBias: true,
        nPrefix: 1,
      },
      ...{ layerNormEpsilon: 1e-12, labels: Array.from({ length: 30 }, (_, i) => `${i}`), distilled: false },
      problemType: undefined,
    });
  // Of an image of four patches no more rows are checked than it has positions.
  for (const plan of [encoderPlan(128), vit(16), vit(8)]) {
    const findings = await checkKernels(await createWasmBackend(), { ...checkedPlan(plan), formatOf: () => 'f32' });
    expect(findings.filter(({ op }) => op.startsWith('layerNorm'))).not.toHaveLength(0);
    for (const { op, error, passed } of findings) expect({ op, error, passed }).toMatchObject({ passed: true });
  }
});

// Wide layers need more of each thread's memory than the rest of the check does.
test.each([384, 4096])('a backend whose sums are in float32 is within the tolerances, %i wide', async (nInner) => {
  const findings = await checkKernels(await createWasmBackend(), checkedOf('f32', { nInner }));
  for (const { op, error, passed } of findings) expect({ op, error, passed }).toMatchObject({ passed: true });
  expect(Math.max(...findings.map(({ error }) => error.mean))).toBeLessThan(1e-5);
});

/** A GPU with two variants of the kernel for one row, of which the first does something else. */
function trialOf(first: Partial<Backend>): Trial {
  const kept = new Map<string, string>();
  const chosen = { row: 'quads', tile: 'quads', attention: 'registers' } as const;
  return {
    ...{ adapter: 'acme', kv: 'f32', preferred: chosen, keyOf: async () => 'these shaders' },
    variants: { row: ['registers', 'quads'], tile: ['quads'], attention: ['registers'] },
    open: ({ row }) => ({ ...createCpuBackend(), ...(row === 'quads' && first) }),
    store: { get: (key) => kept.get(key), set: (key, value) => void kept.set(key, value) },
  };
}

const refusing = (code: 'no-webgpu' | 'out-of-memory', message: string): Partial<Backend> => ({
  async program() {
    throw new VitrineError(code, message);
  },
});

test('a variant that does not compile is replaced, and what was found is kept', async () => {
  const trial = trialOf(
    refusing('no-webgpu', 'The pipeline batch.wgsl + linear-quads.wgsl + linear-row.wgsl {} failed: no registers'),
  );
  const found: DeviceCheck[] = [];
  const check = checkOf(checkedOf('f32'), (one) => found.push(one));
  expect(await check(trial)).toMatchObject({ row: 'registers', tile: 'quads' });
  expect(await check(trial)).toMatchObject({ row: 'registers', tile: 'quads' });
  expect(found).toMatchObject([
    { passed: true, kept: false, replaced: [{ kernel: 'row', variant: 'quads', failed: { passed: false } }] },
    { passed: true, kept: true },
  ]);
});

test.each([
  ['no-webgpu', 'The pipeline embed.wgsl {} failed'],
  ['out-of-memory', 'no room for linear-row'],
] as const)('what no other variant helps against ends the check: %s, %s', async (code, message) => {
  const check = checkOf(checkedOf('f32'), () => {});
  await expect(check(trialOf(refusing(code, message)))).rejects.toMatchObject({ code, message });
});

test.each([
  ['llama', {}, 'rmsNorm + linear 128 → 256 q8 + rotary 8 × 16 + rotary 4 × 16 + attention 8 of 4 × 16'],
  [
    'qwen3',
    { head_dim: 20 },
    'rmsNorm + linear 128 → 320 q8 + rmsNorm + rmsNorm + rotary 8 × 20 + rotary 4 × 20 + attention 8 of 4 × 20',
  ],
  [
    'gpt_neox',
    { rotary_pct: 0.5 },
    'layerNorm + linear 128 → 384 q8 + rotary 8 × 16 + rotary 8 × 16 + attention 8 × 16',
  ],
])('%s, whose heads are turned: all of them at once', async (model_type, more, turned) => {
  const sizes = {
    hidden_size: 128,
    num_hidden_layers: 1,
    num_attention_heads: 8,
    intermediate_size: 64,
    vocab_size: 150,
  };
  const fields = new Fields(
    { model_type, ...sizes, num_key_value_heads: 4, max_position_embeddings: 24, ...more },
    'config.json',
  );
  const family = await familyOf(fields, 'decoder');
  const findings = await checkKernels(createCpuBackend(), checkedPlan(family.plan(family.config(fields, () => true))));
  const ops = new Set(findings.map(({ op }) => op));
  expect(ops).toContain(turned);
  if (model_type !== 'gpt_neox') expect(ops).toContain('rmsNorm + linear 128 → 128 q8 + silu + multiply');
  for (const { op, error } of findings) expect(error, op).toEqual({ mean: 0, worst: 0 });
});
