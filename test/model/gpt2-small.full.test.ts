import { expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { load, type Model } from '../../src/index.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { testGpu } from '../backends.ts';
import { expectClose } from '../close.ts';
import { runIds } from './opened.ts';

// A checkpoint of GPT-2 small's shape with residual outliers in the thousands; gpt2-small.setup.mjs has it made.
const inNode = typeof process !== 'undefined' && process.versions?.node;
const source = inNode
  ? new URL('../../.cache/gpt2-small/', import.meta.url).href
  : `${globalThis.location?.origin}/.cache/gpt2-small/`;

const prompt = (length: number) => Array.from({ length }, (_, i) => (i * 7919 + 13) % 50257);

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

test('WebGPU gives the CPU’s greedy tokens: 64 + 8', async () => {
  const ids = prompt(64);
  await testGpu();
  const run = async (device: 'cpu' | 'webgpu') => {
    const model: Model = await load(source, { device, dtype: 'f32', contextLength: 128 });
    expect(model.device).toMatchObject({ kind: device, dtype: 'f32' });
    const { ids: generated } = await model.complete(ids, { maxNewTokens: 8 });
    const logits = await model.logits([...ids, ...generated.slice(0, -1)]);
    model.dispose();
    return { generated, logits: logits.data };
  };
  const cpu = await run('cpu');
  const gpu = await run('webgpu');
  const difference = largestDifference(gpu.logits, cpu.logits);
  const largest = cpu.logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  console.log(`largest logit difference WebGPU - CPU: ${difference} (largest logit ${largest})`);
  expect(gpu.generated).toEqual(cpu.generated);
  expect(new Set(cpu.generated).size).toBeGreaterThan(1);
  expect(difference).toBeLessThan(2e-3);
});

test.runIf(inNode)('the CPU with its cache equals the CPU without: 300 + 20', async () => {
  const checkpoint = await openCheckpoint(source);
  const plan = gpt2Plan(checkpoint.config);
  const backend = createCpuBackend();
  for (const weight of checkpoint.check(plan.weights)) await backend.addWeight(weight, 'f32', checkpoint.read(weight));
  const size = { slots: 1, context: 320, rows: 320, logitRows: 20 };
  const cached = await backend.program(plan, size);
  const text = prompt(300);
  const steps: Float32Array[] = [];
  let { logits } = await runIds(cached, text, [299]);
  for (let i = 0; i < 20; i++) {
    steps.push(logits);
    text.push(logits.indexOf(Math.max(...logits)));
    ({ logits } = await cached.run({
      rows: [{ token: text.at(-1)!, position: 299 + i + 1, slot: 0 }],
      logitRows: [0],
    }));
  }
  // From scratch: the whole text as one batch in an empty cache.
  const fresh = await backend.program(plan, size);
  const positions = Array.from({ length: 20 }, (_, i) => 299 + i);
  const whole = (await runIds(fresh, text.slice(0, 319), positions)).logits;
  const joined = Float32Array.from(steps.flatMap((step) => [...step]));
  console.log(`largest logit difference with - without cache: ${largestDifference(joined, whole)}`);
  expectClose(joined, whole, { absolute: 1e-3 }, 'logits');
  backend.dispose();
});
