import { expect, test } from 'vitest';
import type { WeightFormat } from '../../src/plan/backend.ts';
import type { Activation } from '../../src/plan/plan.ts';
import type { TestBackend } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from './mini-plan.ts';

export interface LinearCase {
  rows: number;
  nIn: number;
  nOut: number;
  format: WeightFormat;
  activation?: Activation;
}

/** x -> layerNorm -> linear -> activation -> + residual: every fusion that the backend knows applies. */
function linearPlan({ rows, nIn, nOut, format, activation }: LinearCase): MiniPlan {
  const plan = new MiniPlan(rows);
  const x = plan.input('x', randomValues(rows * nIn, 1, 3), nIn);
  const residual = plan.input('residual', randomValues(rows * nOut, 2, 1000), nOut);
  const norm = {
    weight: plan.vector('norm.weight', randomValues(nIn, 3)),
    bias: plan.vector('norm.bias', randomValues(nIn, 4)),
    epsilon: 1e-5,
    centred: true,
  };
  const bias = plan.vector('bias', randomValues(nOut, 5));
  const weight = plan.matrix('weight', nOut, nIn, randomValues(nOut * nIn, 6, 0.2), format);
  const scale = plan.tensor('scale', 'rows', 1);
  const normed = plan.tensor('normed', 'rows', nIn);
  const product = plan.tensor('product', 'rows', nOut);
  const active = plan.tensor('active', 'rows', nOut);
  const sum = plan.tensor('sum', 'rows', nOut);
  plan.step({ op: 'normScale', input: x, output: scale, epsilon: 1e-5, centred: true });
  plan.step({ op: 'norm', input: x, scale, output: normed, ...norm });
  plan.step({ op: 'linear', input: normed, weight, bias, outputs: [product] });
  plan.step({ op: 'activation', kind: activation ?? 'gelu_new', input: product, output: active });
  plan.step({ op: 'binary', kind: 'add', a: residual, b: active, output: sum });
  return plan;
}

export async function runLinear(backend: TestBackend, one: LinearCase, capture: string[]) {
  return (await linearPlan(one).run(await backend.open(), capture)).captured;
}

/** WebAssembly multiplies whole numbers, so it rounds the input of quantised weights to 15 bits. */
export function tolerances({ name }: TestBackend, { format }: LinearCase): { relative: number; absolute: number } {
  const rounded = name.startsWith('wasm') && (format === 'q8' || format === 'q4');
  return rounded ? { relative: 2e-6, absolute: 4e-4 } : { relative: 2e-6, absolute: 2e-5 };
}

/** Rows, inputs and outputs of a product. */
export type LinearShape = readonly [rows: number, nIn: number, nOut: number];

export const linearShapes: readonly LinearShape[] = [
  [1, 1, 1],
  [1, 48, 3],
  [1, 96, 288],
  [1, 768, 2304],
  [2, 37, 41],
  [7, 64, 65],
  [33, 130, 7],
  [1023, 96, 48],
];

/** Every step by itself, and all of them fused, as the reference has them. */
export function testLinear(
  backend: TestBackend,
  reference: TestBackend,
  format: WeightFormat,
  shapes: readonly LinearShape[],
): void {
  test.each(shapes)(`${format}: %i rows, %i -> %i`, async (rows, nIn, nOut) => {
    const one: LinearCase = { rows, nIn, nOut, format };
    const everything = ['normed', 'product', 'active', 'sum'];
    const expected = await runLinear(reference, one, everything);
    // Nothing but the last tensor kept: all fused. Everything kept: nothing fused.
    const fused = await runLinear(backend, one, ['sum']);
    const apart = await runLinear(backend, one, everything);
    const tolerance = tolerances(backend, one);
    for (const name of everything) expectClose(apart.get(name)!, expected.get(name)!, tolerance, name);
    expectClose(fused.get('sum')!, expected.get('sum')!, tolerance, 'fused sum');
  });
}

/** One selected row of two, by a matrix of half precision. */
export function testVocabulary(backends: readonly TestBackend[], reference: TestBackend): void {
  test.each(backends)('a vocabulary of 50,257 for one selected row of two, on $name', async (backend) => {
    const plan = () => {
      const mini = new MiniPlan(2);
      const x = mini.input('x', randomValues(2 * 48, 1), 48);
      const weight = mini.matrix('head', 50257, 48, randomValues(50257 * 48, 2), 'f16');
      const selected = mini.tensor('selected', 'logitRows', 48);
      const logits = mini.tensor('logits', 'logitRows', 50257);
      mini.step({ op: 'selectRows', input: x, output: selected });
      mini.step({ op: 'linear', input: selected, weight, outputs: [logits] });
      return mini;
    };
    const [a, b] = [await reference.open(), await backend.open()];
    const expected = await plan().run(a, [], { logitRows: [1] });
    const found = await plan().run(b, [], { logitRows: [1] });
    expect(expected.logits.length).toBe(50257);
    expectClose(found.logits, expected.logits, { absolute: 1e-5 }, 'logits');
  });
}
