import { describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { gradOf, gradOfWeight } from '../../src/plan/gradient.ts';
import { backwardRules } from '../../src/plan/gradient-fuse.ts';
import type { TensorEdit } from '../../src/plan/plan.ts';
import { expectClose } from '../close.ts';
import { randomValues } from './mini-plan.ts';
import { answersCase, type Case, opened, randomCase, withEdit } from './random-plan.ts';

/** The loss along a direction of a weight: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h, exact but for h⁴ and rounding. */
async function slopeAlong(run: (step: number) => Promise<number>, h: number): Promise<number> {
  const [a, b, c, d] = [await run(h), await run(-h), await run(2 * h), await run(-2 * h)];
  return (8 * (a - b) - (c - d)) / (12 * h);
}

/** Holds a case's gradients against the loss itself: those of every third weight. */
async function expectSlopes(one: Case, first: number): Promise<void> {
  const { put, run, dispose } = await opened(createCpuBackend(), one);
  const { of } = await run();
  const padding = one.plan.steps.find((step) => step.op === 'embed')!.tables[0]!.padding;
  const names = [...one.weights.keys()].filter((name, i) => name !== 'angles' && i % 3 === first % 3);
  for (const [i, name] of names.entries()) {
    const values = one.weights.get(name)!;
    const direction = randomValues(values.length, i + 1);
    // What is padding is left out on purpose.
    if (name === 'words' && padding !== undefined) {
      direction.fill(0, (padding * values.length) / 7, ((padding + 1) * values.length) / 7);
    }
    const expected = of.get(gradOfWeight(name))?.reduce((sum, value, at) => sum + value * direction[at]!, 0) ?? 0;
    const slope = await slopeAlong(async (step) => {
      await put(
        name,
        values.map((value, at) => value + step * direction[at]!),
      );
      return (await run()).loss;
    }, 1e-3);
    await put(name, values);
    const away = Math.abs(slope - expected);
    const found = `${name}: ${slope} by differences, ${expected} by the adjoint`;
    expect(away, found).toBeLessThan(1e-3 * Math.abs(expected) + 1e-3);
  }
  dispose();
}

/** Without relu, whose kink lies within a step now and then. */
function smooth(one: Case): Case {
  const steps = one.plan.steps.map((step) =>
    step.op === 'activation' && step.kind === 'relu' ? { ...step, kind: 'silu' as const } : step,
  );
  return { ...one, plan: { ...one.plan, steps } };
}

describe('gradients are the slopes of the loss', () => {
  test.each(Array.from({ length: 16 }, (_, seed) => seed + 1))('of random plan %i', async (seed) => {
    await expectSlopes(smooth(randomCase(seed)), seed);
  });

  test('of answers', () => expectSlopes(answersCase(), 0));

  const all = { positions: undefined, heads: undefined, shared: true };
  const edits: [string, string, TensorEdit][] = [
    ['sets a head of', '0.attn.hook_pattern', { kind: 'set', ...all, heads: [0], values: 0.2 }],
    ['scales', '1.attn.hook_pattern', { kind: 'scale', ...all, values: 0.5 }],
    ['adds to', '0.attn.hook_attn_scores', { kind: 'add', ...all, values: 0.3 }],
    ['scales positions of', '0.post', { kind: 'scale', ...all, positions: [0, 2], values: -2 }],
    ['sets', '0.k', { kind: 'set', ...all, positions: [1], values: 0.4 }],
    ['scales', '0.ln.hook_scale', { kind: 'scale', ...all, values: 1.5 }],
    ['sets', '0.ln.hook_scale', { kind: 'set', ...all, values: 2 }],
  ];
  test.each(edits)('where an edit %s %s', async (_, tensor, edit) => {
    let seed = 1;
    while (!randomCase(seed).plan.tensors.has(tensor)) seed++;
    const one = smooth(randomCase(seed));
    await expectSlopes({ ...one, plan: withEdit(one.plan, tensor, [edit]) }, 0);
  });
});

test('the gradient of an edited tensor is of the edited value, and what was set passes nothing on', async () => {
  const one = randomCase(2);
  const edit: TensorEdit = { kind: 'set', positions: undefined, heads: undefined, values: 0.5, shared: true };
  const plan = withEdit(one.plan, '0.mid', [edit]);
  const { run, dispose } = await opened(createCpuBackend(), { ...one, plan }, ['0.mid', '0.attended', 'embedded']);
  const { of } = await run();
  expect(of.get(gradOf('0.mid'))!.some((value) => value !== 0)).toBe(true);
  expect(of.get(gradOf('0.attended'))!.every((value) => value === 0)).toBe(true);
  expect(of.get(gradOf('embedded'))!.every((value) => value === 0)).toBe(true);
  dispose();
});

test('what no wanted gradient needs is not computed', async () => {
  const { plan, kind } = randomCase(3);
  const { gradient } = await import('../../src/plan/gradient.ts');
  const whole = gradient(plan, kind, { tensors: ['1.post'], weights: [] });
  const adjoints = whole.steps.filter(({ op }) => op === 'adjoint');
  expect(adjoints.map((step) => step.op === 'adjoint' && step.of)).toEqual([
    kind === 'crossEntropy' ? 'crossEntropy' : 'pointLoss',
    'linear',
    'selectRows',
  ]);
});

test('adjoints that are done together are those of one by one', async () => {
  const fused = { linear: 0, attentionMix: 0 };
  for (let seed = 1; seed <= 12; seed++) {
    const one = randomCase(seed);
    const tensors = seed % 3 === 0 ? ['0.attn.hook_pattern', 'embedded'] : [];
    const [apart, together] = [
      await opened(createCpuBackend(), one, tensors),
      await opened(createCpuBackend(), one, tensors, backwardRules),
    ];
    for (const step of together.steps) {
      if (step.op !== 'adjoint') continue;
      if (step.of === 'linear' && step.slope) fused.linear++;
      if (step.of === 'attentionMix' && step.reads.pattern) fused.attentionMix++;
    }
    const [a, b] = [await apart.run(), await together.run()];
    expect(b.loss).toBe(a.loss);
    for (const [of, values] of a.of) expectClose(b.of.get(of)!, values, { relative: 1e-6, absolute: 1e-7 }, of);
    apart.dispose();
    together.dispose();
  }
  expect(fused.linear).toBeGreaterThan(3);
  expect(fused.attentionMix).toBeGreaterThan(3);
});
