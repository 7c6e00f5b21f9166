import { describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import type { Backend, Row, WeightFormat } from '../../src/plan/backend.ts';
import { withEdits } from '../../src/plan/edit.ts';
import { isFull, openedOnce } from '../backends.ts';
import { expectClose } from '../close.ts';
import { openOn } from '../model/opened.ts';
import { MiniPlan, randomValues } from '../ops/mini-plan.ts';
import { variantsOf } from './variants.ts';

const formats: WeightFormat[] = ['f32', 'bf16', 'f16', 'q8', 'q4'];
const reference = createCpuBackend();

/** layerNorm -> linear with three outputs -> cache -> attention -> linear -> + residual, as in a block; all fuse. */
function block(rows: number, nHead: number, headDim: number, format: WeightFormat): MiniPlan {
  const width = nHead * headDim;
  const plan = new MiniPlan(rows);
  plan.source('cache', { nHead, headDim, axis: 'context' });
  const x = plan.input('x', randomValues(rows * width, 1, 3), width);
  const norm = {
    weight: plan.vector('norm.weight', randomValues(width, 2)),
    bias: plan.vector('norm.bias', randomValues(width, 3)),
    epsilon: 1e-5,
    centred: true,
  };
  const qkv = plan.matrix('qkv', 3 * width, width, randomValues(3 * width * width, 4, 0.2), format);
  const qkvBias = plan.vector('qkv.bias', randomValues(3 * width, 5));
  const out = plan.matrix('out', width, width, randomValues(width * width, 6, 0.2), format);
  for (const name of ['q', 'k', 'v', 'z']) plan.tensor(name, 'rows', nHead, headDim);
  for (const name of ['normed', 'product', 'sum']) plan.tensor(name, 'rows', width);
  for (const name of ['scores', 'pattern']) plan.tensor(name, nHead, 'rows', 'context');
  plan.step({ op: 'normScale', input: x, output: plan.tensor('scale', 'rows', 1), epsilon: 1e-5, centred: true });
  plan.step({ op: 'norm', input: x, scale: 'scale', output: 'normed', ...norm });
  plan.step({ op: 'linear', input: 'normed', weight: qkv, bias: qkvBias, outputs: ['q', 'k', 'v'] });
  plan.step({ op: 'cacheAppend', k: 'k', v: 'v', source: 'cache' });
  plan.step({ op: 'attentionScores', q: 'q', source: 'cache', scale: headDim ** -0.5, output: 'scores' });
  plan.step({ op: 'maskedSoftmax', input: 'scores', source: 'cache', output: 'pattern' });
  plan.step({ op: 'attentionMix', pattern: 'pattern', source: 'cache', output: 'z' });
  plan.step({ op: 'linear', input: 'z', weight: out, outputs: ['product'] });
  plan.step({ op: 'binary', kind: 'add', a: x, b: 'product', output: 'sum' });
  return plan;
}

const known = new Map<string, Promise<unknown>>();

/** What the reference makes of something, computed once for all variants. */
function once<T>(what: unknown, compute: () => Promise<T>): Promise<T> {
  const key = JSON.stringify(what);
  if (!known.has(key)) known.set(key, compute());
  return known.get(key) as Promise<T>;
}

/** Against q8 and q4 weights the input is rounded, block by block, to 15 bits; for 8-bit products to 14. */
const roundings = { f32: 1, bf16: 1, f16: 1, q8: 10, q4: 10 };

describe.each(variantsOf(isFull))('WebAssembly, $name', (variant) => {
  const backend = openedOnce(variant);
  const rounding = (format: WeightFormat) => roundings[format] * (variant.options.i8Products ? 3 : 1);

  test('is what was asked for', async () => {
    const { threads, relaxed } = variant.options;
    const { adapter, kind } = await backend.open();
    expect(kind).toBe('wasm');
    expect(adapter).toContain(`${threads} thread`);
    expect(adapter.includes('relaxed')).toBe(relaxed);
  });

  describe.each(formats)('%s', (format) => {
    test.each([
      [1, 2, 48],
      [1, 5, 7],
      [3, 1, 1],
      [4, 3, 33],
      [5, 3, 6],
      [9, 2, 50],
      [130, 2, 64],
    ])('a block of attention: %i rows, %i heads of %i', async (rows, nHead, headDim) => {
      const everything = ['normed', 'q', 'k', 'v', 'scores', 'pattern', 'z', 'sum'];
      const expected = await once([rows, nHead, headDim, format], () =>
        block(rows, nHead, headDim, format).run(reference, everything),
      );
      const apart = await block(rows, nHead, headDim, format).run(await backend.open(), everything);
      const fused = await block(rows, nHead, headDim, format).run(await backend.open(), ['sum']);
      const relative = 1e-5 * rounding(format);
      for (const name of everything) {
        expectClose(apart.captured.get(name)!, expected.captured.get(name)!, { relative }, name);
      }
      expectClose(fused.captured.get('sum')!, expected.captured.get('sum')!, { relative }, 'fused sum');
    });

    test('tiny-gpt2 as the CPU backend runs it: cached, captured, edited', async () => {
      const resultsOn = async (home: Backend) => {
        const { plan } = await openOn(home, 'tiny-gpt2', 'model.safetensors', format);
        const edits = [
          { name: 'blocks.1.attn.hook_z', head: 1, scale: 0 },
          { name: 'blocks.1.attn.hook_pattern', head: 0, position: 12, set: 0.1 },
          { name: 'blocks.2.hook_resid_pre', position: -1, add: randomValues(96, 9) },
        ];
        const capture = new Set(['blocks.0.mlp.hook_post', 'blocks.2.attn.hook_pattern']);
        const size = { slots: 2, context: 40, rows: 32, logitRows: 3 };
        const plain = await home.program(plan, size);
        const edited = await home.program(withEdits(plan, edits, 13), size, capture);
        const run = async (program: typeof plain, slot: number, from: number, to: number) => {
          const rows: Row[] = [];
          for (let position = from; position < to; position++) rows.push({ token: 7 * position + 3, position, slot });
          return program.run({ rows, logitRows: [rows.length - 1] });
        };
        await run(plain, 1, 0, 9);
        const prompt = await run(edited, 0, 0, 13);
        await run(plain, 1, 9, 13);
        const results: Record<string, Float32Array> = {
          ...Object.fromEntries(prompt.captured),
          edited: prompt.logits,
          decoded: (await run(edited, 0, 13, 14)).logits,
          plain: (await run(plain, 1, 13, 14)).logits,
        };
        home.dispose();
        return results;
      };
      const expected = await once(['tiny-gpt2', format], () => resultsOn(createCpuBackend()));
      const found = await resultsOn(await variant.open());
      expect(Object.keys(found)).toEqual(Object.keys(expected));
      for (const [name, values] of Object.entries(found)) {
        expectClose(values, expected[name]!, { absolute: 1e-4 * rounding(format), relative: 2e-6 }, name);
      }
    });
  });

  test('NaN in one run leaves no trace in the next', async () => {
    const home = await variant.open();
    const { plan } = await openOn(home, 'nano-sort', 'model.safetensors');
    const ids = [2, 1, 0, 1, 1, 2];
    const rows = ids.map((token, position) => ({ token, position, slot: 0 }));
    const size = { slots: 1, context: 11, rows: 11, logitRows: 1 };
    const logits = async (edited: boolean) => {
      const poison = { name: 'blocks.1.hook_resid_pre', set: Number.NaN };
      const program = await home.program(edited ? withEdits(plan, [poison], ids.length) : plan, size);
      const result = await program.run({ rows, logitRows: [5] });
      program.dispose();
      return [...result.logits];
    };
    const before = await logits(false);
    expect((await logits(true)).every(Number.isNaN)).toBe(true);
    expect(await logits(false)).toEqual(before);
    home.dispose();
  });
});
