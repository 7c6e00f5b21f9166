import type { ProgramSize, WeightFormat } from '../plan/backend.ts';
import { packedBytes, strideOf } from '../plan/formats.ts';
import type { KvFormat } from '../plan/kv.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import { Buffers } from './buffers.ts';
import type { Kernel } from './kernel.ts';
import { sample, samplerBuffers } from './kernels/sample.ts';
import { makeSources } from './lay-out.ts';
import { lowerAll, type Target } from './lower.ts';
import { stepListsOf } from './step-lists.ts';
import { partsOf, type Weights } from './weights.ts';

/** In place of every buffer: pipelines do not depend on them, and nothing is bound. */
const standIn = {} as GPUBuffer;

/**
 * The kernels of a program of this size, drawing included, by the shapes and formats of its weights alone: so they can be
 * compiled while these arrive.
 */
export function kernelsAhead(
  { device, kv, ...target }: Target & { device: GPUDevice; kv: KvFormat },
  plan: Plan,
  size: ProgramSize,
): Kernel[] {
  const sources = makeSources(plan, size, kv, () => standIn);
  const to = {
    ...{ batch: standIn, unused: standIn, labels: standIn, buffers: new Buffers(device) },
    tensor: () => standIn,
    source: (name: string) => sources.get(name)!,
  };
  const kernels = stepListsOf(plan, size, { kv, weights: target.weights })
    .flatMap((list) => lowerAll(plan, list, target, to))
    .flatMap((step) => step.kernels);
  if (![...sources.values()].some(({ axis }) => axis === 'context')) return kernels; // it writes no text
  const sampler = samplerBuffers(plan.vocabSize, () => standIn);
  return [...kernels, ...sample(standIn, standIn, plan.vocabSize, sampler)];
}

/** Weights of which only shapes and formats are known yet. */
export function expected(device: GPUDevice, plan: Plan, formatOf: (weight: WeightSpec) => WeightFormat): Weights {
  const specs = new Map(plan.weights.map((spec) => [spec.name, spec]));
  return {
    matrix(name) {
      const spec = specs.get(name)!;
      const format = spec.kind === 'vector' ? 'f32' : formatOf(spec);
      const parts = partsOf(device, spec, format).map((part) => ({ ...part, values: standIn, scales: undefined }));
      const bytes = packedBytes(format, spec.rows, spec.columns);
      return { spec, format, stride: strideOf(spec.columns), parts, bytes };
    },
    vector: () => standIn,
    vectors: ({ bias, norm }) => (bias === undefined && !norm ? undefined : standIn),
  };
}
