import { expect, test } from 'vitest';
import { countingDevice } from '../../bench/counting-device.ts';
import { attentionFor, createGpuBackend, variantsFor } from '../../src/gpu/backend.ts';
import { Buffers } from '../../src/gpu/buffers.ts';
import { type Variants, variantsOn } from '../../src/gpu/kernels/linear.ts';
import { Pipelines } from '../../src/gpu/shader.ts';
import { TUNING_MS, tune } from '../../src/gpu/tune.ts';
import type { TuneStore } from '../../src/gpu/tune-store.ts';
import { WeightStore } from '../../src/gpu/weight-store.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { WeightSpec } from '../../src/plan/plan.ts';
import { deviceWith, sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { gpt2Config } from '../model/shapes.ts';
import { randomValues } from '../ops/mini-plan.ts';
import { deviceOfEmptyKernels } from './empty-kernels.ts';

const config = gpt2Config({ nLayer: 1, nHead: 2, nEmbd: 64, nInner: 64, nCtx: 32, vocabSize: 300 });

/** One for all tests here, so that nothing is compiled twice. */
const formatOf = ({ kind }: WeightSpec) => (kind === 'vector' ? 'f32' : 'q8');

/** A store that says what was asked of it. */
function watched(value?: string): TuneStore & { kept: Map<string, string>; asked: string[] } {
  const kept = new Map<string, string>();
  const asked: string[] = [];
  return {
    kept,
    asked,
    get(key) {
      asked.push(key);
      return kept.get(key) ?? value;
    },
    set: (key, chosen) => void kept.set(key, chosen),
  };
}

/** Logits of one row and of many, and what is left of the buffers. */
async function run(tune?: TuneStore) {
  const device = await sharedDevice();
  const counting = countingDevice(device);
  const backend = createGpuBackend(counting.device, { tune });
  const plan = gpt2Plan(config);
  for (const [i, spec] of plan.weights.entries()) {
    await backend.addWeight(spec, formatOf(spec), piece(randomValues(spec.rows * spec.columns, i, 0.1)));
  }
  const program = await backend.program(plan, { slots: 1, context: 32, rows: 8, logitRows: 1 });
  const row = (position: number) => ({ token: 7 * position, position, slot: 0 });
  const many = await program.run({ rows: Array.from({ length: 8 }, (_, p) => row(p)), logitRows: [7] });
  const one = await program.run({ rows: [row(8)], logitRows: [0] });
  program.dispose();
  backend.dispose();
  return {
    logits: [...many.logits, ...one.logits],
    names: variantsOn(device.features),
    left: counting.liveBuffers.size,
  };
}

async function* piece(values: Float32Array): AsyncGenerator<Float32Array> {
  yield values;
}

test('the tuner changes nothing but rounding, keeps its choice, and leaves no buffer behind', async () => {
  const untouched = await run();
  const store = watched();
  const tuned = await run(store);
  expectClose(tuned.logits, untouched.logits, { relative: 1e-5 }, 'logits');
  expect(tuned.left).toBe(0);
  expect(store.asked).toHaveLength(1);
  const chosen = JSON.parse(store.kept.get(store.asked[0]!)!) as Variants;
  expect(tuned.names.row).toContain(chosen.row);
  expect(tuned.names.tile).toContain(chosen.tile);
});

test('a kept choice is taken without measuring; one that this device cannot run, or no JSON, is measured again', async () => {
  const device = await deviceOfEmptyKernels();
  const weights = new WeightStore(device);
  const on = { device, pipelines: new Pipelines(device), weights, kv: 'f32' as const };
  const plan = gpt2Plan(config);
  for (const spec of plan.weights)
    await weights.add(spec, formatOf(spec), piece(new Float32Array(spec.rows * spec.columns)));
  const given: Variants = { row: 'registers', tile: 'registers' };
  const good = watched('{"row":"lanes","tile":"shared"}');
  expect(await tune(on, plan, given, good)).toEqual({ row: 'lanes', tile: 'shared' });
  expect(good.kept.size).toBe(0);
  for (const bad of ['{"row":"lanes","tile":"cathedral"}', 'not JSON', 'null']) {
    const store = watched(bad);
    await tune(on, plan, given, store);
    expect([...store.kept.keys()]).toEqual(store.asked);
  }
  weights.destroy();
});

test('a plan without matrix products is not measured; the next one is', async () => {
  const store = watched();
  const backend = createGpuBackend(await deviceOfEmptyKernels(), { tune: store });
  const plan = gpt2Plan(config);
  for (const spec of plan.weights) {
    await backend.addWeight(spec, formatOf(spec), piece(new Float32Array(spec.rows * spec.columns)));
  }
  const steps = plan.steps.filter(({ op }) => op === 'embed');
  await backend.program({ ...plan, steps }, { slots: 1, context: 4, rows: 4, logitRows: 1 }, new Set(['hook_embed']));
  expect(store.asked).toEqual([]);
  await backend.program(plan, { slots: 1, context: 4, rows: 4, logitRows: 1 });
  expect(store.asked).toHaveLength(1);
  backend.dispose();
});

test('a model whose tuning fails runs as it would without', async () => {
  const fails = () => {
    throw new Error('no store today');
  };
  const untuned = await run();
  expect((await run({ get: fails, set: fails })).logits).toEqual(untuned.logits);
});

test('a measurement that is still under way when its time is over is waited for, not run into', async () => {
  const real = await deviceOfEmptyKernels(); // whose uncaptured errors fail the run
  let slow = false;
  let maps = 0;
  const device = deviceWith(real, {
    createBuffer(descriptor) {
      const buffer = real.createBuffer(descriptor);
      const mapAsync = buffer.mapAsync.bind(buffer);
      buffer.mapAsync = async (mode) => {
        if (slow) maps++;
        await mapAsync(mode);
        if (slow && maps === 1) await after(1.2 * TUNING_MS);
      };
      return buffer;
    },
  });
  const weights = new WeightStore(device);
  const plan = gpt2Plan(config);
  for (const spec of plan.weights)
    await weights.add(spec, formatOf(spec), piece(new Float32Array(spec.rows * spec.columns)));
  const pipelines = new Pipelines(device);
  const get = pipelines.get.bind(pipelines);
  const asked: Promise<unknown>[] = [];
  pipelines.get = (...what) => {
    const found = get(...what);
    asked.push(found);
    return found;
  };
  const on = { device, pipelines, weights, kv: 'f32' as const };
  const given: Variants = { row: 'registers', tile: 'registers' };
  await tune(on, plan, given, watched());
  await Promise.all(asked); // compiled, so that both kinds are measured next
  slow = true;
  expect(await tune(on, plan, given, watched())).toEqual(given);
  await after(TUNING_MS);
  await device.queue.onSubmittedWorkDone();
  expect(maps).toBe(1);
  weights.destroy();
});

test('buffers that are freed while they are asked for take none of the vectors that others use by then', async () => {
  const { device, liveBuffers } = countingDevice(await sharedDevice());
  const weights = new WeightStore(device);
  const plan = gpt2Plan(config);
  const bias = plan.weights.find(({ name }) => name === 'h.0.attn.c_proj.bias')!;
  await weights.add(bias, 'f32', piece(randomValues(bias.columns, 1)));
  const layer = { weight: 'any', bias: bias.name, first: 0, count: bias.columns, norm: undefined, lowRank: undefined };
  const vectors = () => weights.vectors(layer)!;
  const [measuring, program] = [new Buffers(device), new Buffers(device)];
  const ended = weights.allocate(measuring, 'measuring', vectors);
  const used = weights.allocate(program, 'a program', vectors);
  measuring.destroyAll();
  await expect(ended).rejects.toMatchObject({ code: 'disposed' });
  expect(liveBuffers.has(await used)).toBe(true);
  weights.destroy();
  expect(liveBuffers.size).toBe(0);
});

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test.each([
  [{ vendor: 'nvidia' }, { row: 'lanes', tile: 'shared' }],
  [{ vendor: 'amd' }, { row: 'lanes64', tile: 'shared' }],
  [{ vendor: 'intel' }, { row: 'lanes16', tile: 'shared' }],
  [{ vendor: '' }, { row: 'lanes', tile: 'shared' }],
  [
    { vendor: 'google', isFallbackAdapter: true },
    { row: 'registers', tile: 'registers' },
  ],
])('before anything is measured, %o gets %o', (info, expected) => {
  const features: ReadonlySet<string> = new Set();
  expect(variantsFor({ adapterInfo: info as GPUAdapterInfo, features })).toEqual(expected);
});

test.each([
  [{ vendor: 'nvidia' }, 'shared'],
  [{ vendor: 'google', description: 'SwiftShader', isFallbackAdapter: true }, 'registers'],
  [{ vendor: 'mesa', description: 'llvmpipe (LLVM 19)', isFallbackAdapter: true }, 'rows'],
  [{ vendor: '', isFallbackAdapter: true }, 'rows'], // Firefox: it may be llvmpipe
])('attention on %o is of the variant %s', (info, expected) => {
  expect(attentionFor(info as GPUAdapterInfo)).toBe(expected);
});
