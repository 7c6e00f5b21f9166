import type { Backend, WeightFormat, WeightRows } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import type { KvFormat } from '../plan/kv.ts';
import { part } from '../plan/part.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import type { Buffers } from './buffers.ts';
import { expected, kernelsAhead } from './compile-ahead.ts';
import { isSoftware, nameOf } from './device.ts';
import type { AttentionVariant } from './kernels/attention.ts';
import type { Variants } from './kernels/linear.ts';
import { programBytes } from './lay-out.ts';
import { adjointsOf, compileProgram } from './program.ts';
import { pipelinesOf } from './shader.ts';
import type { TuneStore } from './tune-store.ts';
import { WeightStore } from './weight-store.ts';

export interface GpuBackendOptions {
  /** The adapter in words. */
  adapter?: string;
  /** Destroy the device with the backend. */
  owned?: boolean;
  /** How kernels split their work; by default what suits the device. */
  variants?: Partial<Variants>;
  /** Measure the variants before the first program, keeping the choice here; by default they are not measured. */
  tune?: TuneStore | undefined;
  /** Has the last word on what the tuner chose. */
  confirm?: (variants: Variants) => Promise<Variants>;
  attention?: AttentionVariant;
  /** How keys and values are kept, f32 by default; others need heads whose width is a multiple of 4. */
  kv?: KvFormat;
}

/** As many lanes an output row as the vendor's GPUs run in step; elsewhere 32, as on NVIDIA's and Apple's. */
const lanesOf: Record<string, Variants['row']> = {
  amd: 'lanes64',
  qualcomm: 'lanes64',
  intel: 'lanes16',
  arm: 'lanes16',
};

/** What measures kernels: fetched where a model is large enough for it to pay. */
export const tuning = () => part('What measures kernels', () => import('./tune.ts'));

/** What the choice of kernels goes by; older browsers' devices say nothing of their adapter. */
interface AdapterTraits {
  adapterInfo?: GPUAdapterInfo;
  features: GPUSupportedFeatures;
}

/** Before measuring: real GPUs want many lanes on neighbouring addresses, software ones no barriers. */
export function variantsFor({ adapterInfo, features }: AdapterTraits): Variants {
  if (!isSoftware(adapterInfo)) return { row: lanesOf[adapterInfo?.vendor ?? ''] ?? 'lanes', tile: 'shared' };
  const inFours = features.has('subgroups') ? 'quads' : 'registers';
  return { row: inFours, tile: inFours };
}

/** A software GPU without a name, as Firefox has it, may be llvmpipe. */
export function attentionFor(info: GPUAdapterInfo | undefined): AttentionVariant {
  if (!isSoftware(info)) return 'shared';
  return /^$|llvmpipe|lavapipe/i.test(nameOf(info)) ? 'rows' : 'registers';
}

/**
 * The WebGPU backend on a device. It works within the device's limits, and leaves the device itself to its owner unless
 * `owned`, when dispose destroys it.
 */
export function createGpuBackend(
  device: GPUDevice,
  {
    adapter = 'WebGPU',
    owned = false,
    variants: chosen,
    attention = attentionFor(device.adapterInfo),
    kv = 'f32',
    tune: store,
    confirm = async (variants) => variants,
  }: GpuBackendOptions = {},
): Backend {
  const weights = new WeightStore(device);
  const pipelines = pipelinesOf(device);
  /** Of all programs, those that are still compiled too. */
  const programs = new Set<Buffers>();
  const given = { ...variantsFor(device), ...chosen };
  let variants: Promise<Variants> | undefined;
  const variantsOf = async (plan: Plan) => {
    if (!store) return given;
    // Where measuring fails, what was given runs, or tells what is wrong.
    const on = { device, pipelines, weights, kv };
    const measured = tuning().then(({ tune }) => tune(on, plan, given, store));
    return confirm(await measured.catch(() => given));
  };
  let disposed = false;
  const alive = () => {
    if (disposed) throw new VitrineError('disposed', 'The WebGPU backend was disposed.');
  };
  return {
    kind: 'webgpu',
    adapter,
    lost: new Promise((settle) => {
      void device.lost.then(({ message }) => {
        if (!disposed) settle(message || 'The GPU device was lost.');
      });
    }),
    get bytes() {
      return weights.bytes;
    },
    async addWeight(spec: WeightSpec, format: WeightFormat, pieces: AsyncIterable<WeightRows>) {
      alive();
      await weights.add(spec, spec.kind === 'vector' ? 'f32' : format, pieces);
    },
    setWeight(name, values) {
      weights.set(name, values);
    },
    removeWeights(names) {
      weights.remove(names);
    },
    async prepare(plan, size, formatOf) {
      alive();
      const shapes = expected(device, plan, formatOf);
      const kept = store && (await (await tuning()).keptChoice({ device, weights: shapes }, plan, store));
      const variants = kept ? await confirm(kept) : given;
      const kernels = kernelsAhead({ device, weights: shapes, variants, attention, kv }, plan, size);
      await Promise.all(kernels.map(({ files, constants }) => pipelines.get(files, constants)));
    },
    programBytes: (plan, size) => programBytes(plan, size, { device, kv, weights }),
    async bytesOf(plan, size, capture) {
      return programBytes(plan, size, { device, kv, weights, ...(await adjointsOf(plan)) }, capture);
    },
    async program(plan, size, capture = new Set()) {
      alive();
      const isMeasurable = plan.steps.some(({ op }) => op === 'linear'); // no mere look at a weight
      if (isMeasurable) variants ??= variantsOf(plan);
      const chosen = (await variants) ?? given;
      alive();
      const compiler = { device, pipelines, weights, variants: chosen, attention, kv };
      return compileProgram(compiler, plan, size, capture, programs);
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      for (const buffers of programs) buffers.destroyAll();
      weights.destroy();
      if (owned) device.destroy();
    },
  };
}
