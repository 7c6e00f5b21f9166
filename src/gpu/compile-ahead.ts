import type { ProgramSize, WeightFormat } from '../plan/backend.ts';
import { packedBytes, strideOf } from '../plan/formats.ts';
import { fuse } from '../plan/fuse.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import { Buffers } from './buffers.ts';
import { drawing } from './decode.ts';
import type { Kernel, Scene } from './kernel.ts';
import type { Variants } from './kernels/linear.ts';
import { type ProgramMaker, rulesFor } from './lay-out.ts';
import { gpuShape, lower } from './lower.ts';
import { partsOf, type Weights } from './weights.ts';

/** In place of every buffer: pipelines do not depend on them, and nothing is bound. */
const standIn = {} as GPUBuffer;

/**
 * The kernels of a program of this size, drawing included, by the shapes and formats of its weights alone: so they can be
 * compiled while these arrive.
 */
export function kernelsAhead(
  { device, rules, attention, kv }: Pick<ProgramMaker, 'device' | 'rules' | 'attention' | 'kv'>,
  plan: Plan,
  size: ProgramSize,
  weights: Weights,
  variants: Variants,
): Kernel[] {
  const scene: Scene = { ...size, nHead: plan.nHead, headDim: plan.headDim, batch: standIn, kv };
  const shapes = size.rows > 1 ? (['row', 'tile'] as const) : (['row'] as const);
  const kernels = shapes.flatMap((shape) => {
    const rows = shape === 'row' ? 1 : size.rows;
    const sizes = { rows, logitRows: Math.min(rows, size.logitRows), context: size.context };
    const steps = fuse(plan.steps, rulesFor(plan, weights, shape, rules), new Set(['logits']));
    return steps.flatMap((step) =>
      lower(step, {
        plan,
        scene: { ...scene, rows },
        weights,
        tensor: (name) => ({ buffer: standIn, ...gpuShape(plan, name, sizes) }),
        caches: Array.from({ length: plan.nLayer }, () => standIn),
        buffers: new Buffers(device),
        unused: standIn,
        shape,
        variants,
        attention,
      }),
    );
  });
  const names = ['settings', 'counts', 'bias', 'processed', 'partials', 'state', 'ring'] as const;
  const sampler = Object.fromEntries(names.map((name) => [name, standIn])) as Record<(typeof names)[number], GPUBuffer>;
  kernels.push(...drawing(standIn, standIn, plan.vocabSize, sampler));
  return kernels;
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
    vectors: (bias, _first, _count, norm) => (bias === undefined && !norm ? undefined : standIn),
  };
}
