import { describe, expect, test } from 'vitest';
import { withEdits } from '../../src/plan/edit.ts';
import { backends, isFull, openedOnce, type TestBackend, webgpuHalves } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

const [reference, ...others] = [...backends, webgpuHalves[0]!].map(openedOnce) as [TestBackend, ...TestBackend[]];

interface Case {
  what: string;
  heads: readonly [queries: number, keys: number];
  headDim: number;
  /** Of a head's values so many pairs are turned. */
  pairs: number;
  norms: boolean;
}

const cases: Case[] = [
  { what: 'whole heads, two to a key', heads: [4, 2], headDim: 12, pairs: 6, norms: false },
  { what: 'three pairs of a head, the heads normed', heads: [3, 3], headDim: 20, pairs: 3, norms: true },
];
const names = ['q', 'k', 'v', 'q_norm', 'k_norm', 'rot_q', 'rot_k', 'z'];

/** x -> q, k, v -> norms of the heads -> turned -> attention, as decoders with rotary positions have it. */
function planOf(rows: number, { heads: [nHead, keyHeads], headDim, pairs, norms }: Case): MiniPlan {
  const nIn = 37;
  const plan = new MiniPlan(rows);
  const x = plan.input('x', randomValues(rows * nIn, 1, 3), nIn);
  const widths = [nHead, keyHeads, keyHeads];
  const nOut = widths.reduce((sum, count) => sum + count * headDim, 0);
  const weight = plan.matrix('weight', nOut, nIn, randomValues(nOut * nIn, 2, 0.3), 'f32');
  const bias = plan.vector('bias', randomValues(nOut, 3));
  const outputs = ['q', 'k', 'v'].map((name, i) => plan.tensor(name, 'rows', widths[i]!, headDim));
  plan.step({ op: 'linear', input: x, weight, bias, outputs });
  const table = plan.matrix('angles', rows, 2 * pairs, randomValues(rows * 2 * pairs, 4), 'f32');
  const normed = (input: string, count: number, seed: number) => {
    if (!norms) return input;
    const how = { epsilon: 1e-5 * seed, centred: false };
    const scale = plan.tensor(`${input}_scale`, 'rows', count, 1);
    const output = plan.tensor(`${input}_norm`, 'rows', count, headDim);
    plan.step({ op: 'normScale', input, output: scale, ...how });
    const by = plan.vector(`${input}_norm.weight`, randomValues(headDim, seed));
    plan.step({ op: 'norm', input, scale, output, weight: by, ...how });
    return output;
  };
  const [q, k] = [normed('q', nHead, 5), normed('k', keyHeads, 6)];
  const source = plan.source('cache', { nHead: keyHeads, headDim, axis: 'context' });
  const turned = plan.tensor('rot_q', 'rows', nHead, headDim);
  plan.step({ op: 'rotate', input: q, table, output: turned });
  const k2 = plan.tensor('rot_k', 'rows', keyHeads, headDim);
  plan.step({ op: 'rotate', input: k, table, output: k2 });
  plan.step({ op: 'cacheAppend', k: k2, v: 'v', source });
  const scores = plan.tensor('scores', nHead, 'rows', 'context');
  const pattern = plan.tensor('pattern', nHead, 'rows', 'context');
  plan.step({ op: 'attentionScores', q: turned, source, scale: 0.3, output: scores });
  plan.step({ op: 'maskedSoftmax', input: scores, source, output: pattern });
  plan.step({ op: 'attentionMix', pattern, source, output: plan.tensor('z', 'rows', nHead, headDim) });
  return plan;
}

describe.each(others)('turned queries and keys on $name are as on the CPU reference', (backend) => {
  // Halves of the cache are rounded once.
  const absolute = backend.name.includes('halves') ? 0.02 : 1e-4;
  describe.each(isFull || backend.name === 'wasm' ? cases : cases.slice(1))('$what', (one) => {
    const made = one.norms ? names : names.filter((name) => !name.includes('norm'));
    const positions = [3, 1, 0, 2, 5, 4, 6];
    const rows = positions.map((token, position) => ({ token, position, slot: 0 }));

    test('together and apart, and whatever of it is looked at', async () => {
      const expected = (await planOf(7, one).run(await reference.open(), made, { rows })).captured;
      const others = ['q', 'k', 'v', 'rot_q', 'rot_k'].map((name) => ['z', name]);
      // On GPUs these are kernels to compile; edits, below, stand in the same ways.
      for (const capture of [['z'], made, ...(isFull || backend.name === 'wasm' ? others : [])]) {
        const { captured } = await planOf(7, one).run(await backend.open(), capture, { rows });
        for (const name of capture) {
          expectClose(captured.get(name)!, expected.get(name)!, { absolute }, `${name} of ${capture}`);
        }
      }
    });

    test('and whatever of it is edited', async () => {
      for (const name of made.slice(0, -1)) {
        const change = (plan: Parameters<typeof withEdits>[0]) => withEdits(plan, [{ name, scale: -1.5 }], 7);
        const run = async (on: TestBackend) =>
          (await planOf(7, one).run(await on.open(), ['z'], { rows, change })).captured.get('z')!;
        expectClose(await run(backend), await run(reference), { absolute: 4 * absolute }, name);
      }
    });

    test('of a row behind others', async () => {
      const expected = (await planOf(7, one).run(await reference.open(), ['z'], { rows })).captured.get('z')!;
      const program = await planOf(7, one).program(await backend.open(), ['z'], { rows });
      await program.run({ rows: rows.slice(0, 6), logitRows: [] });
      const { captured } = await program.run({ rows: rows.slice(6), logitRows: [] });
      program.dispose();
      const width = one.heads[0] * one.headDim;
      expect(captured.get('z')!.length).toBe(width);
      expectClose(captured.get('z')!, expected.subarray(6 * width), { absolute }, 'z');
    });
  });
});
