import { describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import { PlanBuilder } from '../../src/plan/builder.ts';
import { backends, deviceWith, isFull, sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { randomValues } from './mini-plan.ts';
import { answersCase, type Case, longCase, opened, randomCase, withEdit } from './random-plan.ts';

/** Random plans; an edit of each kind in some, wherever it fits. */
function cases(count: number): [string, Case][] {
  const all = { positions: undefined, heads: undefined, shared: true };
  return Array.from({ length: count }, (_, i) => {
    const one = randomCase(i + 1);
    const has = (name: string) => one.plan.tensors.has(name);
    const edits = [
      { tensor: '0.attn.hook_pattern', edit: { kind: 'set' as const, ...all, heads: [0], values: 0.2 } },
      { tensor: '0.ln.hook_scale', edit: { kind: 'scale' as const, ...all, values: 1.5 } },
      { tensor: '0.post', edit: { kind: 'scale' as const, ...all, positions: [0, 2], values: -2 } },
    ].filter(({ tensor }) => i % 2 === 1 && has(tensor));
    const plan = edits.reduce((plan, { tensor, edit }) => withEdit(plan, tensor, [edit]), one.plan);
    return [`${i + 1}${edits.length > 0 ? ', edited' : ''}`, { ...one, plan }];
  });
}

/** Heads wider than what a kernel takes at a time, and no multiple of it: 22; rows that see some of the keys. */
function wideCase(): Case {
  const b = new PlanBuilder();
  const x = b.embed('embedded', { weight: b.matrix('words', 7, 44), by: 'token' });
  const source = b.source('text', { nHead: 1, headDim: 22, axis: 'rows' });
  const [q, k, v] = b.linear(x, b.layer('qkv', 44, 88), ['q', 2, 22], ['k', 1, 22], ['v', 1, 22]) as [
    string,
    string,
    string,
  ];
  b.append(k, v, source);
  const z = b.attention('attn', q, source, 0.3);
  const post = b.add('0.post', x, b.linear(z, b.layer('out', 44, 44), ['attended', 44])[0]!);
  b.linear(b.select('selected', post), b.layer('head', 44, 5), ['logits', 5]);
  const plan = b.plan({ nCtx: 70, vocabSize: 5 });
  const rows = Array.from({ length: 70 }, (_, at) => {
    const first = at < 41 ? 0 : 41;
    return { token: (at * 5) % 7, position: at - first, slot: 0, at, first, sees: at - first + 1 };
  });
  const weights = new Map(
    plan.weights.map(({ name, rows, columns }, i) => [name, randomValues(rows * columns, i + 1, 0.4)]),
  );
  const batch = { rows, logitRows: [3, 40, 69], labels: Float32Array.of(0, 4, 2), lossScale: 1 / 3 };
  return { plan, kind: 'crossEntropy', weights, batch };
}

describe.each(backends.filter(({ name }) => name !== 'cpu'))('gradients on $name', ({ name, open }) => {
  const long: [string, Case] = ['of long products', longCase()];
  const answers: [string, Case] = ['of answers', answersCase()];
  const all: [string, Case][] = [...cases(isFull ? 40 : 16), long, ['of wide heads', wideCase()], answers];
  // A software GPU compiles each plan's kernels anew: it has the second, which is edited, and the fourth.
  const some = [...cases(4).filter((_, i) => i % 2 === 1), long, answers];
  test.each(name === 'webgpu' && !isFull ? some : all)('are those of the CPU: random plan %s', async (_, one) => {
    const tensors = ['0.post', '1.attended', 'embedded'].filter((tensor) => one.plan.tensors.has(tensor));
    const expected = await opened(createCpuBackend(), one, tensors);
    const found = await opened(await open(), one, tensors);
    // A second run finds the sums of the first in its buffers.
    for (let run = 0; run < 2; run++) {
      const [a, b] = [await expected.run(), await found.run()];
      expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-4 * Math.max(1, Math.abs(a.loss)));
      expect([...b.of.keys()]).toEqual([...a.of.keys()]);
      for (const [of, values] of a.of) expectClose(b.of.get(of)!, values, { relative: 1e-4, absolute: 2e-5 }, of);
    }
    for (const each of [expected, found]) each.dispose();
  });
});

test.runIf(backends.some(({ name }) => name === 'webgpu'))(
  'on a GPU that binds little at once the loss is taken in chunks of rows, and tables have their gradients in parts',
  async () => {
    // 64 of 300 rows of logits, 576 of 1,100 words.
    const real = await sharedDevice();
    const limits = { maxStorageBufferBindingSize: 64 * 1152 * 4, maxBufferSize: 2 ** 28 } as GPUSupportedLimits;
    const device = deviceWith(real, { limits });
    const one = longCase(300, 1100);
    const short = { ...one.batch, logitRows: [5, 170, 299], labels: Float32Array.of(7, 0, 1099) };
    const expected = await opened(createCpuBackend(), one, ['embedded']);
    const found = await opened(createGpuBackend(device), one, ['embedded']);
    // What a longer batch has left in chunks and parts is no part of the next one.
    for (const batch of [one.batch, short, one.batch]) {
      const [a, b] = [await expected.run(batch), await found.run(batch)];
      expect(Math.abs(a.loss / b.loss - 1)).toBeLessThan(1e-5);
      expect([...b.of.keys()]).toEqual([...a.of.keys()]);
      for (const [of, values] of a.of) expectClose(b.of.get(of)!, values, { relative: 1e-4, absolute: 2e-5 }, of);
    }
    for (const each of [expected, found]) each.dispose();
  },
);
